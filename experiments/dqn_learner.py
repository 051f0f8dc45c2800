"""DQN's gradient step on RLlib's network and optimiser, without the metrics that cost twice as much as the step."""

from __future__ import annotations

from typing import Any

import torch
from ray.rllib.algorithms.dqn.dqn_learner import QF_PREDS
from ray.rllib.algorithms.dqn.torch.dqn_torch_learner import DQNTorchLearner
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.columns import Columns
from ray.rllib.core.learner.utils import update_target_network
from torch.nn.functional import huber_loss

from experiments.replay import Batch


class ExecutionLearner(DQNTorchLearner):
    """RLlib's DQN learner with `learn`, one update on a batch of the replay memory.

    `update`, RLlib's own way to the same update, is left as it is.
    """

    @property
    def network(self) -> Any:
        """The Q-network with its target network, RLlib's `DefaultDQNTorchRLModule`."""
        return self.module[DEFAULT_MODULE_ID].unwrapped()

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """The network's optimiser."""
        optimizer: torch.optim.Optimizer = self.get_optimizer(DEFAULT_MODULE_ID)
        return optimizer

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """Register Adam as RLlib does, in its fused form: a quarter of the time for networks this small."""
        params = self.get_parameters(self.module[module_id])
        optimizer = torch.optim.Adam(params, fused=True)
        self.register_optimizer(module_id=module_id, optimizer=optimizer, params=params, lr_or_lr_schedule=config.lr)

    def learn(self, batch: Batch, learning_rate: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Make one gradient step.

        The target is that of double Q-learning (van Hasselt et al. 2016) if the configuration says so, with the
        discount of each transition's own number of steps; the loss is Huber's, weighted by importance.

        Args:
            batch: Transitions with their weights.
            learning_rate: Step size.

        Returns:
            The TD errors, shape `(B,)`, and the loss.
        """
        config = self.config
        rows = batch.transitions
        obs, next_obs, actions, rewards, terminated, n_step, weights = (
            torch.from_numpy(column).to(self.device)
            for column in (
                *(rows.obs, rows.next_obs, rows.actions, rows.rewards, rows.terminated, rows.n_step),
                batch.weights,
            )
        )
        network = self.network
        chosen = network.compute_q_values({Columns.OBS: obs})[QF_PREDS].gather(1, actions[:, None]).squeeze(1)
        with torch.no_grad():
            following = network.forward_target({Columns.OBS: next_obs})[QF_PREDS]
            judged = network.compute_q_values({Columns.OBS: next_obs})[QF_PREDS] if config.double_q else following
            best = following.gather(1, judged.argmax(dim=1, keepdim=True)).squeeze(1)
            target = rewards + config.gamma**n_step * ~terminated * best
        loss = (weights * huber_loss(chosen, target, reduction="none")).mean()
        optimizer = self.optimizer
        optimizer.zero_grad()
        loss.backward()
        (group,) = optimizer.param_groups
        torch.nn.utils.clip_grad_norm_(group["params"], config.grad_clip)
        group["lr"] = learning_rate
        optimizer.step()
        return (chosen - target).detach(), loss.detach()

    def update_target(self) -> None:
        """Copy the network to the target network."""
        for main_net, target_net in self.network.get_target_network_pairs():
            update_target_network(main_net=main_net, target_net=target_net, tau=1.0)
