"""The rules of every tenant with their versions, and which of them a window is judged by."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from streams.alerts.rule import RuleError, RuleSpec, shipped_rules, spec_of

SHIPPED_VERSION: Final = 0


class StoredVersion(Protocol):
    """One row of `rules`; `storage.rules.StoredRule` is one."""

    @property
    def tenant(self) -> str:
        """Whose rule it is."""
        ...

    @property
    def name(self) -> str:
        """Of the rule."""
        ...

    @property
    def version(self) -> int:
        """From 1."""
        ...

    @property
    def valid_from_ns(self) -> int:
        """It holds for windows that start here or later."""
        ...

    @property
    def body(self) -> Mapping[str, Any] | None:
        """The rule as plain data; None switches it off."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleVersion:
    """One version of one rule; it never changes."""

    name: str
    version: int
    """0 is the one that comes with the program."""
    valid_from_ns: int
    spec: RuleSpec
    digest: str = ""
    """Of what decides when it fires, see `RuleSpec.digest`."""

    def __post_init__(self) -> None:
        """Take the digest once: the machine compares it at every window."""
        object.__setattr__(self, "digest", self.spec.digest)


@dataclass(frozen=True, slots=True)
class _Timeline:
    """Which versions hold in each stretch between changes."""

    changes_ns: tuple[int, ...]
    """Ascending; stretch k begins at change k - 1, the first one before all of them."""
    stretches: tuple[tuple[RuleVersion, ...], ...]

    def at(self, start_ns: int) -> tuple[RuleVersion, ...]:
        return self.stretches[bisect_right(self.changes_ns, start_ns)]


@dataclass(frozen=True, slots=True)
class _Held:
    """A version that may be switched off."""

    name: str
    version: int
    valid_from_ns: int
    rule: RuleVersion | None


@dataclass(frozen=True, slots=True)
class RuleBook:
    """Rules of any number of tenants; a tenant without its own has the shipped ones.

    A window belongs to the highest version that is valid from its start or earlier, so the
    answer for a window never changes once every version valid from there is known.
    """

    _shipped: _Timeline
    _tenants: Mapping[str, _Timeline] = field(default_factory=dict)
    unreadable: tuple[RuleError, ...] = ()
    """Stored versions that this program cannot read: they hold as if switched off."""

    @classmethod
    def of(
        cls,
        stored: Iterable[StoredVersion] = (),
        shipped: Mapping[str, RuleSpec] | None = None,
    ) -> "RuleBook":
        """The book of what is stored, over what is shipped.

        Args:
            stored: versions of any tenants in any order. One named as a shipped rule
                replaces it from its `valid_from_ns` on.
            shipped: version 0 of every tenant; None is what comes with the program.
        """
        shipped = shipped_rules() if shipped is None else shipped
        base = [
            _Held(name, SHIPPED_VERSION, 0, _version(name, SHIPPED_VERSION, 0, spec))
            for name, spec in shipped.items()
        ]
        held: dict[str, list[_Held]] = defaultdict(lambda: list(base))
        unreadable: list[RuleError] = []
        for row in stored:
            rule = None
            if row.body is not None:
                where = f"rule {row.name} of tenant {row.tenant}, version {row.version}"
                try:
                    spec = spec_of(row.body, where)
                except RuleError as exc:
                    unreadable.append(exc)
                else:
                    rule = _version(row.name, row.version, row.valid_from_ns, spec)
            held[row.tenant].append(_Held(row.name, row.version, row.valid_from_ns, rule))
        return cls(
            _timeline(base),
            {tenant: _timeline(versions) for tenant, versions in held.items()},
            tuple(unreadable),
        )

    @classmethod
    def only(cls, name: str, spec: RuleSpec) -> "RuleBook":
        """The book of one rule, the same for everybody and for ever: of back-tests."""
        return cls.of((), {name: spec})

    def in_force(self, tenant: str, start_ns: int) -> tuple[RuleVersion, ...]:
        """The version of each rule for a window that starts at `start_ns`, by name.

        Rules that are switched off are left out.
        """
        return self._tenants.get(tenant, self._shipped).at(start_ns)


def _version(name: str, version: int, valid_from_ns: int, spec: RuleSpec) -> RuleVersion:
    return RuleVersion(name=name, version=version, valid_from_ns=valid_from_ns, spec=spec)


def _timeline(versions: Iterable[_Held]) -> _Timeline:
    ordered = sorted(versions, key=lambda one: one.version)
    changes_ns = tuple(sorted({one.valid_from_ns for one in ordered}))
    stretches: list[tuple[RuleVersion, ...]] = [()]
    for at_ns in changes_ns:
        newest = {one.name: one.rule for one in ordered if one.valid_from_ns <= at_ns}
        held = (newest[name] for name in sorted(newest))
        stretches.append(tuple(rule for rule in held if rule is not None))
    return _Timeline(changes_ns, tuple(stretches))
