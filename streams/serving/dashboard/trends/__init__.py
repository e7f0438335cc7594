"""The page of trends, and of the calls behind one."""
