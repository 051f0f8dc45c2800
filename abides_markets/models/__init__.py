"""Statistical models of the background."""

from abides_markets.models.order_size_model import OrderSizeModel

__all__ = ["OrderSizeModel"]
