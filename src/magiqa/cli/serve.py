"""`magiqa serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from magiqa.cli import options
from magiqa.errors import MissingExtra


def serve(
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="0.0.0.0: other machines too, with keys.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="0: any free.")] = 8000,
    keys: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="API keys, one a line.  [default: $MAGIQA_KEYS]"),
    ] = None,
    no_auth: Annotated[
        bool, typer.Option("--no-auth", metavar="", help="Let everyone in, without a key.")
    ] = False,
    backbone: options.Backbone = None,
    weights: options.Weights = None,
    prompts: options.Prompts = None,
    tokenizer: options.Tokenizer = None,
    coverage: options.Coverage = "paper",
    threads: options.Threads = None,
    provider: options.Provider = None,
    engine: options.Engine = "onnx",
    device: options.Device = None,
    dtype: options.Dtype = None,
    jobs: Annotated[int, typer.Option(metavar="N", min=1, help="Guarded decode processes.")] = 1,
    max_body: Annotated[
        int, typer.Option(metavar="MB", min=1, help="Of a request, all files together.")
    ] = 24,
    max_files: Annotated[int, typer.Option(metavar="N", min=1, help="Pictures in a request.")] = 16,
    max_pixels: Annotated[
        int, typer.Option(metavar="MP", min=1, help="Megapixels of a picture.")
    ] = 50,
    max_requests: Annotated[
        int, typer.Option(metavar="N", min=1, help="At a time; more are told to try later.")
    ] = 64,
    max_queue: Annotated[
        int, typer.Option(metavar="N", min=1, help="Pictures waiting; likewise.")
    ] = 256,
    max_seconds: Annotated[
        float, typer.Option(metavar="S", min=0.1, help="From a body's first byte to the answer.")
    ] = 30.0,
) -> None:
    """Score pictures over HTTP, for programs and, at /, for people.

    POST /v1/score, POST /v1/map, GET /v1/info, /healthz, /readyz, /metrics,
    /openapi.json. Other machines need a key, unless --no-auth is given.
    Logs are JSON lines on stderr; no picture is written to a disk.

    SIGTERM and Ctrl-C: what was accepted is answered, then it ends.
    """
    try:
        from magiqa.serve import server
        from magiqa.serve.keys import keys_of
        from magiqa.serve.limits import Limits
    except ImportError as error:
        if (error.name or "").startswith("magiqa"):
            raise
        raise MissingExtra(f"a service needs {error.name} - pip install 'magiqa[serve]'") from None
    found = keys_of(keys, host, no_auth)
    limits = Limits(
        body=max_body << 20,
        files=max_files,
        pixels=max_pixels * 1_000_000,
        concurrency=max_requests,
        queue=max_queue,
        seconds=max_seconds,
    )
    settings = options.settings_of(prompts, "photo", False, None, coverage)
    machine = options.Machine(threads, provider, engine, device, dtype)
    scorer = options.scorer_of(settings, backbone, weights, tokenizer, machine)
    server.run(scorer, limits, found, host, port, jobs)
