"""``exit-terminal sandbox``: the sandbox for a merchant's key; prints what belongs in the configuration."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ..signing import load_private_key, load_public_keys
from .server import Sandbox


async def serve(
    host: str,
    port: int,
    keys_folder: Path,
    merchant_public_key: Path | None,
    partner_id: str,
    print: Callable[[str], None],
    *,
    time_scale: float = 1.0,
) -> None:
    """Serve until cancelled. Missing keys are made in ``keys_folder`` and kept. Raises BadKey, OSError.

    PayBy's pair is always there; the merchant's too, unless ``merchant_public_key`` names one.
    """
    folder, payby, merchant = _keys(keys_folder, merchant_public_key)
    sandbox = Sandbox(
        merchant_keys=merchant,
        private_key=payby,
        partner_id=partner_id,
        host=host,
        port=port,
        time_scale=time_scale,
    )
    async with sandbox:
        print(f"PayBy sandbox at http://{sandbox.host}:{sandbox.port}/sandbox/orders; put into the configuration:")
        print("[payby]")
        print(f'base_url = "{sandbox.base_url}"')
        print(f'partner_id = "{partner_id}"')
        if merchant_public_key is None:
            print(f'private_key = "{folder / "merchant.pem"}"')
        print(f'payby_public_key = ["{folder / "payby.pub.pem"}"]')
        await asyncio.Event().wait()


def _keys(folder: Path, merchant: Path | None) -> tuple[Path, rsa.RSAPrivateKey, list[rsa.RSAPublicKey]]:
    """The whole path of the folder, PayBy's key and the merchant's public one."""
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    payby = key_pair(folder, "payby")
    if merchant is None:
        return folder, payby, [key_pair(folder, "merchant").public_key()]
    return folder, payby, load_public_keys([merchant])


def key_pair(folder: Path, name: str) -> rsa.RSAPrivateKey:
    """The pair ``name.pem`` and ``name.pub.pem`` of a folder, made if absent; only its owner may read the private
    half."""
    private, public = folder / f"{name}.pem", folder / f"{name}.pub.pem"
    if not private.exists():
        made = rsa.generate_private_key(65537, 2048)
        pem = made.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
    key = load_private_key(private)
    public.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return key
