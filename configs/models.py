"""Typed models of an experiment: what a YAML file in `configs/` may say, with units and allowed values.

An experiment names a market, a parent order, what the agent sees and may do, how it is rewarded, how it is trained and
what it is compared with. Unknown keys are refused, so that a misspelt one never silently means its default.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
from pathlib import Path
from typing import Annotated
from typing import Any
from typing import Literal

import yaml
from pydantic import AfterValidator
from pydantic import BaseModel
from pydantic import BeforeValidator
from pydantic import ConfigDict
from pydantic import Field
from pydantic import NonNegativeInt
from pydantic import PositiveInt
from pydantic import model_validator

from abides_core.utils import str_to_ns
from abides_markets.switches import Switches
from configs.parsing import parse_seeds
from configs.parsing import parse_yaml

CONFIG_DIR = Path(__file__).resolve().parent
REGIME_DIR = CONFIG_DIR / "regimes"
POLICY_DIR = CONFIG_DIR / "policies"
SECOND = 1_000_000_000
LAST_CLOSE = str_to_ns("16:00:00")
"""Latest close: the background's fundamental ends here, ns since midnight."""
SHORTEST_INTERVAL = SECOND // 10
"""Least time between decisions, ns: the book is asked for and an order confirmed in less, whatever the latencies."""

SET_BY_THE_HARNESS = {"seed", "end_time", "latency_seed", "switches", "ticker"}
"""Parameters of a background that an experiment sets by other means than `market.params`."""

Side = Literal["buy", "sell"]
Name = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]


def _to_ns(value: Any) -> Any:
    """Turn a duration such as `10s`, `30min` or `09:35:00` into whole nanoseconds."""
    if isinstance(value, str):
        try:
            return str_to_ns(value)
        except ValueError as error:
            raise ValueError(f"not a duration: {value!r} (write 10s, 30min, 1h or HH:MM:SS)") from error
    return value


def _positive(value: int) -> int:
    if value <= 0:
        raise ValueError(f"must be longer than zero, got {value} ns")
    return value


TimeOfDay = Annotated[int, BeforeValidator(_to_ns)]
Duration = Annotated[int, BeforeValidator(_to_ns), AfterValidator(_positive)]


class Model(BaseModel):
    """Base of every configuration model: immutable, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MarketConfig(Model):
    """The simulated market. Changing any of it changes every tape.

    Attributes:
        regime: Name of a file in `configs/regimes/`, whose market this is but for the keys that are given here. As
            resolved, the configuration holds the regime's values and the name only tells where they came from.
        background: Module of `abides_markets.configs` that builds the background market.
        end_time: Market close, nanoseconds since midnight.
        latency_seed: Seed of the stored latencies: the first n agents' values do not depend on how many follow.
        switches: Named repairs of the reference market (`abides_markets.switches`), all on unless turned off here.
        params: Further parameters of the background's `build_config` (for example `num_noise_agents`).
    """

    regime: Name | None = None
    background: Literal["rmsc04"] = "rmsc04"
    end_time: TimeOfDay = str_to_ns("10:20:00")
    latency_seed: NonNegativeInt = 20_210_205
    switches: dict[str, bool] = Field(default_factory=dict)
    params: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _of_regime(cls, given: Any) -> Any:
        """Fill in the regime's values below those that are given, name by name in `params` and `switches`."""
        if not isinstance(given, dict) or given.get("regime") is None:
            return given
        regime = read_regime(given["regime"])
        named = {
            key: {**regime[key], **given[key]}
            for key in ("params", "switches")
            if isinstance(regime.get(key), dict) and isinstance(given.get(key), dict)
        }
        return {**regime, **given, **named}

    @model_validator(mode="after")
    def _names_exist(self) -> MarketConfig:
        Switches.all_on(**self.switches)
        build_config = importlib.import_module(f"abides_markets.configs.{self.background}").build_config
        allowed = sorted(set(inspect.signature(build_config).parameters) - SET_BY_THE_HARNESS)
        for name in self.params:
            if name not in allowed:
                raise ValueError(f"unknown parameter {name!r} in params; allowed: {', '.join(allowed)}")
        return self


def regimes() -> list[str]:
    """Names of the market regimes, sorted."""
    return sorted(path.stem for path in REGIME_DIR.glob("*.yaml"))


def read_regime(name: Any) -> dict[str, Any]:
    """Read what a regime says of the market: a mapping of keys of `MarketConfig`.

    Raises:
        ValueError: If there is no such regime, or its file is not such a mapping.
    """
    if name not in regimes():
        raise ValueError(f"regime must be one of {', '.join(regimes())}, got {name!r}")
    path = REGIME_DIR / f"{name}.yaml"
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: a regime is a mapping of keys, got {type(content).__name__}")
    for key in content:
        if key not in MarketConfig.model_fields or key == "regime":
            allowed = sorted(set(MarketConfig.model_fields) - {"regime"})
            raise ValueError(f"{path}: unknown key {key!r}; allowed: {', '.join(allowed)}")
    return content


class OrderConfig(Model):
    """The parent order.

    Attributes:
        side: `buy`, `sell`, or `both` (each episode of training draws one; a comparison runs both).
        quantity: Shares of the parent order.
        start: Arrival, nanoseconds since midnight.
        window: Length of the execution window, nanoseconds.
        end_rule: What happens to shares still unfilled at the end of the window: `leave` them, or `sweep` them
            with market orders shortly before.
        settlement: Time after the window in which the last confirmations arrive, at most one second.
    """

    side: Literal["buy", "sell", "both"] = "both"
    quantity: PositiveInt = 20_000
    start: TimeOfDay = str_to_ns("09:35:00")
    window: Duration = str_to_ns("30min")
    end_rule: Literal["leave", "sweep"] = "sweep"
    settlement: Duration = SECOND

    @property
    def sides(self) -> tuple[Side, ...]:
        """The sides that are traded."""
        return ("buy", "sell") if self.side == "both" else (self.side,)

    @model_validator(mode="after")
    def _settles_within_a_second(self) -> OrderConfig:
        if self.settlement > SECOND:
            raise ValueError(f"settlement must be at most 1s, got {self.settlement} ns")
        return self


class LotActions(Model):
    """Market orders of 0, 1, …, `largest` lots of `lot` shares (the paper's action set: 0, 20, 40, 60, 80 shares)."""

    kind: Literal["lots"] = "lots"
    lot: PositiveInt = 20
    largest: PositiveInt = 4


class ParticipationActions(Model):
    """Market orders of a multiple of what TWAP would send in this interval.

    Attributes:
        multipliers: Multiples of the shares that TWAP trades in one decision interval.
        corridor: If given, the executed fraction is kept within ± this of the elapsed fraction, closing on the
            full quantity at the end.
    """

    kind: Literal["participation"] = "participation"
    multipliers: tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...] = (0.0, 0.5, 1.0, 1.5, 2.0)
    corridor: Annotated[float, Field(gt=0, le=1)] | None = None

    @model_validator(mode="after")
    def _has_a_choice(self) -> ParticipationActions:
        if len(self.multipliers) < 2:
            raise ValueError(f"multipliers must be at least two, got {self.multipliers}")
        return self


class PlacementActions(Model):
    """Where to put the slice that is due: hold, a limit order, or a market order.

    Attributes:
        placements: In order of the action's number. `hold` leaves everything as it is; `behind`, `at` and `inside`
            keep one limit order one tick behind, at, or one tick inside the own side's best quote; `cross` sends a
            market order.
        slices: Size of the order, in slices (shares that TWAP trades in one decision interval).
    """

    kind: Literal["placement"] = "placement"
    placements: tuple[Literal["hold", "behind", "at", "inside", "cross"], ...] = ("hold", "at", "inside", "cross")
    slices: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0

    @model_validator(mode="after")
    def _has_a_choice(self) -> PlacementActions:
        if len(set(self.placements)) < 2 or len(set(self.placements)) != len(self.placements):
            raise ValueError(f"placements must be at least two different ones, got {self.placements}")
        return self


ActionConfig = Annotated[LotActions | ParticipationActions | PlacementActions, Field(discriminator="kind")]


class ObservationConfig(Model):
    """What the policy sees: names of `agents.features.FEATURES`, in order; `history` stacks the last decisions."""

    features: tuple[str, ...] = (
        "inventory",
        "time",
        "schedule_deviation",
        "imbalance_1",
        "imbalance_2",
        "imbalance_3",
        "imbalance_4",
        "imbalance_5",
        "imbalance_total",
        "own_depth_1",
        "own_depth_5",
        "own_depth_total",
        "opposite_depth_1",
        "opposite_depth_5",
        "opposite_depth_total",
        "spread",
        "own_best",
        "opposite_best",
        "return_1",
        "return_2",
        "return_3",
        "direction",
        "resting",
        "resting_distance",
    )
    history: PositiveInt = 1

    @model_validator(mode="after")
    def _has_features(self) -> ObservationConfig:
        if not self.features:
            raise ValueError("features must not be empty")
        if len(set(self.features)) != len(self.features):
            raise ValueError(f"features must not repeat, got {list(self.features)}")
        return self


class RewardConfig(Model):
    """The reward, equation 4 of arXiv 2411.06389: `implementation_shortfall − impact_penalty − completion_penalty`.

    A penalty on what is left may be added, which the paper does not have.

    Attributes:
        alpha: Weight α of the depth consumed, per share of the parent order.
        depth: The kind of `d_t`: `ticks_walked`, `shares_beyond_touch` or `shares`.
        beta: Penalty β per share left, in `price_unit`; the default lies above the worst completion cost.
        running_penalty: Penalty φ on what is left, in `price_unit` a share of the order: φ · ∫ (left / Q)² dt / T over
            the window. An aversion to risk: with φ = λQσ²T it is Almgren and Chriss's λ times the variance of the cost.
        price_unit: `cents` or `dollars`.
        benchmark: `arrival` (the price of equation 4), or `twap`: what an even schedule at the mid of the same market
            gains is taken off. That takes away most of the noise, and with it what a policy does to the mid's mean
            (docs/learning.md).
    """

    alpha: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    depth: Literal["ticks_walked", "shares_beyond_touch", "shares"] = "shares_beyond_touch"
    beta: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 200.0
    running_penalty: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    price_unit: Literal["cents", "dollars"] = "cents"
    benchmark: Literal["arrival", "twap"] = "arrival"


class SearchConfig(Model):
    """What only a policy search asks for (`experiments/policy_search.py`).

    Attributes:
        markets: Markets in an iteration; each runs four episodes.
        spread: Standard deviation σ by which weights are changed, in multiples of the even rate for one standard
            deviation of a feature.
        step: Step of a weight in the first iteration, likewise; it shrinks evenly to nothing over `training.steps`.
    """

    markets: PositiveInt = 128
    spread: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.15
    step: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1


def _schedule(value: Any) -> Any:
    """Turn a number into the schedule that is always that number."""
    return [[0, value]] if isinstance(value, int | float | str) else value


Schedule = Annotated[tuple[tuple[NonNegativeInt, float], ...], BeforeValidator(_schedule)]
"""`[[step, value], …]`, linear in between, from step 0; or one number."""


class PPOConfig(Model):
    """What only proximal policy optimisation asks for (Schulman et al. 2017).

    Attributes:
        rollout: Environment steps between updates, rounded up to whole rounds of the environments.
        epochs: Passes over a rollout; each takes it in minibatches of `training.batch_size`.
        gae_lambda: λ of the generalised advantage estimate (Schulman et al. 2016).
        clip: Largest change of a probability ratio that is rewarded, ε of the paper.
        entropy: Weight of the policy's entropy.
    """

    rollout: PositiveInt = 2_048
    epochs: PositiveInt = 10
    gae_lambda: Annotated[float, Field(ge=0, le=1)] = 0.95
    clip: Annotated[float, Field(gt=0)] = 0.2
    entropy: Annotated[float, Field(ge=0)] = 0.01


class TrainingConfig(Model):
    """Training of the policy.

    Attributes:
        algorithm: `dqn`, `ppo`, or `search` (`experiments/policy_search.py`). All read `steps`, `seed`, `envs` and
            `checkpoint_every`; `dqn` and `ppo` also `hidden`, `learning_rate`, `gamma`, `batch_size` and `grad_clip`.
            The others are the DQN's; `ppo` and `search` hold what only those ask for.
        device: Where the gradient is taken: `cuda`, `cpu`, or `auto`, which is a GPU if there is one. Only on the CPU
            does the same seed give the same policy, bit for bit.
        steps: Environment steps in all.
        seed: Seed of initial weights, exploration and the order of training markets.
        envs: Environments per runner.
        hidden: Units of the hidden layers.
        learning_rate: A number, or a schedule `[[step, rate], …]`, linear in between; its first step is 0.
        epsilon: Probability of a random action, likewise.
        gamma: Discount per decision.
        n_step: Steps of the return in the target.
        batch_size: Transitions per update.
        updates_per_step: Gradient updates per environment step.
        learning_starts: Environment steps before the first update.
        buffer: Capacity of the replay buffer, transitions.
        prioritised: Whether replay is prioritised (α 0.6, β from 0.4 to 1 over `steps`).
        double: Double Q-learning.
        dueling: Dueling heads.
        target_update: Environment steps between updates of the target network.
        grad_clip: Largest global norm of the gradient.
        checkpoint_every: Environment steps between checkpoints.
        ppo: What only PPO asks for.
        search: What only a policy search asks for.
    """

    algorithm: Literal["dqn", "ppo", "search"] = "dqn"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    steps: PositiveInt = 40_000
    seed: NonNegativeInt = 0
    envs: PositiveInt = 8
    hidden: tuple[PositiveInt, ...] = (64, 64)
    learning_rate: Schedule = ((0, 1e-3),)
    epsilon: Schedule = ((0, 1.0), (10_000, 0.05))
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.999
    n_step: PositiveInt = 1
    batch_size: PositiveInt = 64
    updates_per_step: Annotated[float, Field(gt=0)] = 0.125
    learning_starts: NonNegativeInt = 1_000
    buffer: PositiveInt = 50_000
    prioritised: bool = True
    double: bool = True
    dueling: bool = True
    target_update: PositiveInt = 500
    grad_clip: Annotated[float, Field(gt=0)] = 10.0
    checkpoint_every: PositiveInt = 5_000
    ppo: PPOConfig = PPOConfig()
    search: SearchConfig = SearchConfig()

    @model_validator(mode="after")
    def _can_be_trained(self) -> TrainingConfig:
        for name, points in (("learning_rate", self.learning_rate), ("epsilon", self.epsilon)):
            steps = [step for step, _ in points]
            if not points or steps[0] != 0 or sorted(set(steps)) != steps:
                raise ValueError(f"{name} must be [[0, value], [step, value], …] with increasing steps, got {points}")
        if not self.hidden:
            raise ValueError("hidden must name at least one layer, got []")
        if not all(0 <= value <= 1 for _, value in self.epsilon):
            raise ValueError(f"epsilon must lie between 0 and 1, got {self.epsilon}")
        if not all(0 <= value < 1 for _, value in self.learning_rate):
            raise ValueError(f"learning_rate must be at least 0 and less than 1, got {self.learning_rate}")
        if self.buffer < self.batch_size:
            raise ValueError(f"buffer must hold a batch of {self.batch_size} transitions, got {self.buffer}")
        return self


def dotted(value: Any, prefix: str = "") -> Any:
    """Flatten nested mappings to one by dotted name; anything else is left as it is."""
    if not isinstance(value, dict):
        return value
    flat: dict[str, Any] = {}
    for key, item in value.items():
        name = f"{prefix}{key}"
        flat |= dotted(item, f"{name}.") if isinstance(item, dict) else {name: item}
    return flat


class SweepConfig(Model):
    """A Ray Tune run: trainings with other values, judged on the same validation markets.

    Attributes:
        parameters: Values to try, by dotted name of the field (`training.gamma: [0.99, 0.999]`).
        trials: Number of combinations, drawn from all without repetition; by default all of them.
        scheduler: `none` trains every trial in full; `asha` stops at each rung all but the better half that came so far
            (Li et al. 2020); `pbt` lets the worst quarter go on from the best quarter's state with values moved to
            neighbouring ones (Jaderberg et al. 2017).
        steps: Environment steps of a trial.
        rungs: How often a trial is judged and saved, evenly spaced; the last time is its end.
        episodes: Validation episodes that a trial is judged on.
        concurrent: Trials at a time, each on one core.
    """

    parameters: Annotated[dict[str, list[Any]], BeforeValidator(dotted)] = {
        "training.learning_rate": [1e-3, 3e-4],
        "training.gamma": [0.99, 0.999],
    }
    trials: PositiveInt | None = None
    scheduler: Literal["none", "asha", "pbt"] = "none"
    steps: PositiveInt = 20_000
    rungs: PositiveInt = 4
    episodes: Annotated[int, Field(ge=4)] = 40
    concurrent: PositiveInt = 2

    @model_validator(mode="after")
    def _has_values(self) -> SweepConfig:
        for name, values in self.parameters.items():
            if not values:
                raise ValueError(f"parameters: {name} has no values; give a list of at least one")
        return self


class StrategyConfig(Model):
    """A named strategy of a comparison.

    Attributes:
        kind: A name of `agents.STRATEGIES`, or `module:Class` for a subclass of `agents.ExecutionAgent` of your own.
        interval: Time between its decisions; by default the paper's second for its baselines, else the experiment's.
        params: Further parameters of its constructor.
    """

    kind: str
    interval: Duration | None = None
    params: dict[str, Any] = Field(default_factory=dict)


class ValidityConfig(Model):
    """The gate: a seed whose do-nothing market fails a threshold is shown apart.

    Attributes:
        two_sided: Least share of the window in which both sides of the book have an order.
        makers_alive: Least number of market makers with a pending wake-up at the end of the window.
        volume: Least volume in the window, shares.
        discarded: Largest number of orders that the exchange discarded silently.
    """

    two_sided: Annotated[float, Field(ge=0, le=1)] = 0.95
    makers_alive: NonNegativeInt = 2
    volume: NonNegativeInt = 10_000
    discarded: NonNegativeInt = 0


def _is_seed_range(text: str) -> str:
    parse_seeds(text)
    return text


def released_policy(name: str) -> Path:
    """File of a released policy."""
    return POLICY_DIR / f"{name}.npz"


def _is_released(name: str) -> str:
    known = sorted(path.stem for path in POLICY_DIR.glob("*.npz"))
    if name not in known:
        raise ValueError(f"policy must be one of {', '.join(known)}, got {name!r}")
    return name


class ComparisonConfig(Model):
    """What is compared.

    Attributes:
        strategies: Names; the first is the reference of every pair.
        policy: Name of a released policy in `configs/policies/`, which strategies of kind `policy` trade with when the
            command is given none.
        seeds: Seeds `A:B` of the markets, B excluded.
        workers: Processes.
        validity: The gate.
    """

    strategies: tuple[Name, ...] = ("twap", "aggressive", "passive", "random", "dqn")
    policy: Annotated[Name, AfterValidator(_is_released)] | None = None
    seeds: Annotated[str, AfterValidator(_is_seed_range)] | None = None
    workers: PositiveInt = 2
    validity: ValidityConfig = ValidityConfig()


class Experiment(Model):
    """One experiment, as resolved from a YAML file."""

    name: Name
    market: MarketConfig = MarketConfig()
    order: OrderConfig = OrderConfig()
    decision_interval: Duration = 10 * SECOND
    observation: ObservationConfig = ObservationConfig()
    actions: ActionConfig = ParticipationActions()
    reward: RewardConfig = RewardConfig()
    training: TrainingConfig = TrainingConfig()
    sweep: SweepConfig = SweepConfig()
    strategies: dict[Name, StrategyConfig] = Field(default_factory=dict)
    comparison: ComparisonConfig = ComparisonConfig()

    @model_validator(mode="after")
    def _can_be_searched(self) -> Experiment:
        if self.training.algorithm == "search":
            if not isinstance(self.actions, ParticipationActions):
                raise ValueError(
                    f"training.algorithm search needs actions.kind participation, got {self.actions.kind!r}"
                )
            if self.training.envs < 2:
                raise ValueError(
                    f"training.algorithm search needs training.envs of 2 or more, got {self.training.envs}"
                )
        return self

    @model_validator(mode="after")
    def _fits_in_the_market(self) -> Experiment:
        end = self.order.start + self.order.window + self.order.settlement
        if self.order.start < str_to_ns("09:30:00"):
            raise ValueError(f"order.start must be at or after the open 09:30:00, got {_clock(self.order.start)}")
        if self.market.end_time > LAST_CLOSE:
            raise ValueError(
                f"market.end_time must be at most {_clock(LAST_CLOSE)}, got {_clock(self.market.end_time)}"
            )
        if end > self.market.end_time:
            raise ValueError(
                f"order.window ends with its settlement at {_clock(end)}, after the market's close"
                f" {_clock(self.market.end_time)}: shorten order.window or move market.end_time"
            )
        intervals = {"decision_interval": self.decision_interval}
        intervals |= {
            f"strategies.{name}.interval": own.interval for name, own in self.strategies.items() if own.interval
        }
        for name, interval in intervals.items():
            if interval < SHORTEST_INTERVAL:
                raise ValueError(f"{name} must be at least {SHORTEST_INTERVAL / SECOND:g}s, got {interval} ns")
            if self.order.window % interval:
                raise ValueError(
                    f"{name} must divide order.window ({self.order.window / SECOND:g}s), got {interval / SECOND:g}s"
                )
        return self

    @property
    def decisions(self) -> int:
        """Number of decision times in the window."""
        return self.order.window // self.decision_interval

    def shortened(self, steps: int) -> Experiment:
        """The experiment with a training of so many steps.

        The step counts of schedules and of `learning_starts` shrink with it, so that a short training goes through the
        whole of them.
        """
        training = self.training
        share = steps / training.steps
        changed: dict[str, Any] = {"steps": steps, "learning_starts": round(training.learning_starts * share)}
        for name in ("learning_rate", "epsilon"):
            # Points that fall on one step become the last of them: a schedule's steps increase.
            points = {round(step * share): value for step, value in getattr(training, name)}
            changed[name] = tuple(points.items())
        return self.model_copy(update={"training": training.model_copy(update=changed)})

    def digest(self) -> str:
        """First 12 hexadecimal digits of the SHA-256 of the resolved configuration."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


class SeedRanges(Model):
    """Half-open seed ranges `A:B` (B excluded); `test` has no end."""

    train: str
    validation: str
    calibration: str
    test: str


def _clock(ns: int) -> str:
    seconds, rest = divmod(ns, SECOND)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return text if not rest else f"{text}.{rest:09d}".rstrip("0")
