"""What a fleet's processes agree on. One model, frozen; each field may come from the environment."""

from typing import Annotated

from pydantic import AfterValidator, AliasChoices, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from pagefleet.addresses import Allowed

ALL = "*"


def _places(text: str) -> str:
    Allowed.parse(text)
    return text


class Settings(BaseSettings):
    """Times in seconds; the defaults were measured in prototypes; `docs/decisions/` names those that changed."""

    model_config = SettingsConfigDict(env_prefix="PAGEFLEET_", frozen=True, extra="ignore", populate_by_name=True)

    redis_url: str | None = Field(default=None, validation_alias=AliasChoices("redis_url", "REDIS_URL"))
    """The shared Redis; none: an embedded one."""
    lease: float = Field(default=6.0, gt=0)
    """How long a worker has a slice to itself without a sign of life."""
    renew: float = Field(default=2.0, gt=0)
    """Between two signs of life; a third of the lease."""
    turn: float = Field(default=20.0, gt=0)
    """How long a job keeps its slice while other slices wait."""
    poll: float = Field(default=0.1, gt=0)
    """Between two looks of a worker at arq's queue."""
    sweep: float = Field(default=0.5, gt=0)
    """Between two looks of a scheduler at what is due."""
    hang: float = Field(default=25.0, gt=0)
    """How long a worker's event loop may stand still before the worker ends, for another to be started: it is there
    within 30 s. The longest that a page has kept a loop was 0.7 s."""

    allow: Annotated[str, AfterValidator(_places)] = ""
    """Where crawls may go beside public addresses: `10.0.0.0/8, internal.example:8080`. Each process decides for
    itself; a crawl has no say in it."""
    typed: str = ""
    """What a user typed on this machine (`pagefleet crawl`), so that it may go wherever it says: `*`, all crawls of
    this Redis, or `<crawl id> <places>`, one and its origins."""

    @model_validator(mode="after")
    def _agree(self) -> "Settings":
        if self.renew * 2 > self.lease:
            raise ValueError(
                f"renew = {self.renew:g} is more than half of lease = {self.lease:g}: a lease would run out"
            )
        return self
