"""Every way of fusing on the same material: what is measured, what ships, the page that says so."""
