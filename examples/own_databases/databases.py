"""The databases of a shop and of its stock, their roles, and the Secrets that follow from them. ``sosctl`` reads this file as well."""

from __future__ import annotations

from sos_constructs import Database, Role, SecretCatalogue, postgres_secret

SHOP = [Database("shop", owner="shop_app", sql="CREATE TABLE IF NOT EXISTS orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, goods text NOT NULL)")]
SHOP_ROLES = [
    Role("readers", read_only=["shop"]),
    Role("report", login=True, member_of=["readers"], connection_limit=5),
]
STOCK = [Database("stock")]

CATALOGUE = SecretCatalogue([postgres_secret("shop", databases=SHOP, roles=SHOP_ROLES), postgres_secret("stock", databases=STOCK)])
