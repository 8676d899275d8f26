"""What may happen in a round. Each fault strikes, lasts for as long as the seed says, and leaves its undoing to the scene."""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random

import attrs

from tests.chaos.scene import Scene
from tests.cluster import faults as drills
from tests.cluster import kube

SPIN = "while True: pass"
WRITE = """import os, tempfile
with tempfile.TemporaryFile() as file:
    while True:
        file.seek(0)
        file.write(bytes(8 << 20))
        file.flush()
        os.fsync(file.fileno())
"""


@attrs.frozen
class Fault:
    """One kind."""

    name: str
    strike: Callable[[Scene], None]


def delete(scene: Scene, role: str, *options: str) -> None:
    kube.kubectl("delete", "pod", scene.hit(role), "-n", scene.installation.namespace, "--wait=false", *options)


def kill(scene: Scene, role: str, program: str) -> None:
    scene.tool.do("kill", f"{scene.installation.namespace}/{scene.hit(role)}", program)


def stop_agent(scene: Scene) -> None:
    """Its container starts anew; PostgreSQL's does not notice."""
    pod = scene.hit(scene.random.choice(["primary", "standby"]))
    scene.installation.try_exec(pod, "python3", "-c", "import os; os.kill(1, 15)", container="agent")


def kill_everywhere(scene: Scene) -> None:
    scene.target = "all"
    for pod in scene.installation.pod_names:
        scene.tool.do("kill", f"{scene.installation.namespace}/{pod}", "postgres")


def node(scene: Scene, role: str, verb: str) -> None:
    """Until another primary writes; a standby's node stays away for a while that may or may not be longer than anybody's patience."""
    scene.break_then_heal(verb, scene.node(scene.hit(role)))
    if role == "primary":
        scene.outlast()
    else:
        scene.hold(scene.seconds(5, 25))


def blip(scene: Scene, role: str) -> None:
    """A cable that is out for less than the lock's life."""
    scene.break_then_heal("cut", scene.node(scene.hit(role)))
    scene.hold(scene.seconds(1, 9))


def part(scene: Scene, role: str, *others: str) -> None:
    """`one` and `all` are the other members' nodes, `api` is the API server."""
    pod = scene.hit(role)
    rest = [scene.node(each) for each in scene.installation.pod_names if each != pod]
    away = {"one": [scene.random.choice(rest)], "all": rest, "api": ["api"]}
    scene.part(scene.node(pod), *(node for other in others for node in away[other]))
    scene.hold(scene.seconds(8, 40))


def stall(scene: Scene, what: str, role: str) -> None:
    """Shorter than the lock's life: nothing should move."""
    pod = scene.hit(role)
    scene.freeze(f"{scene.installation.namespace}/{pod}" if what == "pod" else scene.node(pod))
    scene.hold(scene.seconds(3, 9))


def freeze(scene: Scene, what: str, role: str) -> None:
    """Long enough for a successor; then the frozen one wakes up and believes that no time has passed."""
    pod = scene.hit(role)
    scene.freeze(f"{scene.installation.namespace}/{pod}" if what == "pod" else scene.node(pod))
    if role == "primary":
        scene.outlast()
    else:
        scene.hold(scene.seconds(10, 25))


def freeze_api(scene: Scene) -> None:
    scene.target = "API server"
    frozen = scene.tool.begin("api-freeze", str(scene.seconds(5, 45)))
    frozen.wait(timeout=120)


def slow_api(scene: Scene) -> None:
    """It answers, and takes its time: up to a few seconds for what it does in milliseconds, longer than some clients wait."""
    scene.target = "API server"
    until = scene.workload.now() + scene.seconds(20, 45)
    while scene.workload.now() < until:
        scene.tool.do("api-freeze", str(scene.seconds(0.2, 3)))
        scene.hold(scene.seconds(0.02, 0.3))


def busy(scene: Scene) -> None:
    """No processor and no disk has time for anybody: what looks dead is only late."""
    scene.target = "every node"
    for program in [SPIN] * 2 * (os.cpu_count() or 1) + [WRITE]:
        scene.beside(program)
    scene.hold(scene.seconds(15, 40))


def rollout(scene: Scene) -> None:
    scene.target = "all"
    kube.kubectl("rollout", "restart", f"statefulset/{scene.installation.name}", "-n", scene.installation.namespace)
    drills.wait_rollout(scene.installation)


def switchover(scene: Scene) -> None:
    """To one of the standbys by name, or to whom Patroni chooses."""
    candidate = scene.random.choice([*scene.standbys, ""])
    scene.target = f"{scene.primary} to {candidate or 'any'}"
    to = ["--candidate", candidate] if candidate else []
    scene.installation.exec(scene.primary, "patronictl", "switchover", "--leader", scene.primary, *to, "--force", seconds=60)


def unheard_then_crashed(scene: Scene) -> None:
    """What the standbys have not heard must not have been acknowledged: first nobody hears the primary, then its node loses power."""
    place = scene.node(scene.hit("primary"))
    scene.part(place, *(scene.node(each) for each in scene.standbys))
    scene.hold(scene.seconds(1, 8))
    scene.break_then_heal("crash", place)
    scene.outlast()


STEPS = ("cuts", "flags", "seals", "releases")
"""Of the fast failover, in this order; after each of them something may happen."""


def agent_killed_in_the_middle(scene: Scene) -> None:
    """The primary's node crashes, and the first agent that gets that far ends after a step."""
    place = scene.node(scene.hit("primary"))
    watching = scene.at_step(scene.random.choice(STEPS), "kill")
    scene.break_then_heal("crash", place)
    scene.await_any(watching)
    scene.outlast()


def back_in_the_middle(scene: Scene) -> None:
    """The primary stands still until an agent has taken a step, and goes on from where it was."""
    pod = scene.hit("primary")
    watching = scene.at_step(scene.random.choice(STEPS), "end")
    scene.freeze(f"{scene.installation.namespace}/{pod}")
    scene.await_any(watching)


ALL = (
    Fault("primary deleted", lambda scene: delete(scene, "primary")),
    Fault("standby deleted", lambda scene: delete(scene, "standby")),
    Fault("primary force-deleted", lambda scene: delete(scene, "primary", "--force", "--grace-period=0")),
    Fault("standby force-deleted", lambda scene: delete(scene, "standby", "--force", "--grace-period=0")),
    Fault("postgres killed on the primary", lambda scene: kill(scene, "primary", "postgres")),
    Fault("postgres killed on a standby", lambda scene: kill(scene, "standby", "postgres")),
    Fault("postgres killed everywhere", kill_everywhere),
    Fault("Patroni killed on the primary", lambda scene: kill(scene, "primary", "patroni")),
    Fault("Patroni killed on a standby", lambda scene: kill(scene, "standby", "patroni")),
    Fault("agent stopped", stop_agent),
    Fault("agent and first process killed", lambda scene: kill(scene, scene.random.choice(["primary", "standby"]), "python3")),
    Fault("primary's node crashed", lambda scene: node(scene, "primary", "crash")),
    Fault("standby's node crashed", lambda scene: node(scene, "standby", "crash")),
    Fault("primary's node cut off", lambda scene: node(scene, "primary", "cut")),
    Fault("standby's node cut off", lambda scene: node(scene, "standby", "cut")),
    Fault("primary's node cut off for a moment", lambda scene: blip(scene, "primary")),
    Fault("primary and one standby parted", lambda scene: part(scene, "primary", "one")),
    Fault("primary and both standbys parted", lambda scene: part(scene, "primary", "all")),
    Fault("primary and the API server parted", lambda scene: part(scene, "primary", "api")),
    Fault("primary parted from both standbys and the API server", lambda scene: part(scene, "primary", "all", "api")),
    Fault("standby and the API server parted", lambda scene: part(scene, "standby", "api")),
    Fault("primary's pod stalled", lambda scene: stall(scene, "pod", "primary")),
    Fault("primary's node stalled", lambda scene: stall(scene, "node", "primary")),
    Fault("primary's pod frozen", lambda scene: freeze(scene, "pod", "primary")),
    Fault("primary's node frozen", lambda scene: freeze(scene, "node", "primary")),
    Fault("standby's pod frozen", lambda scene: freeze(scene, "pod", "standby")),
    Fault("API server frozen", freeze_api),
    Fault("API server slow", slow_api),
    Fault("processors and disk busy", busy),
    Fault("rolling restart", rollout),
    Fault("switchover", switchover),
    Fault("primary unheard, then its node crashed", unheard_then_crashed),
)

FAST = (
    Fault("primary's node crashed, an agent killed in the middle of the failover", agent_killed_in_the_middle),
    Fault("primary's pod frozen, and back in the middle of the failover", back_in_the_middle),
)
"""Only where there is a fast failover."""

LOSING = tuple(fault for fault in ALL if fault.name in ("primary unheard, then its node crashed", "primary's node cut off", "primary's node crashed"))
"""Those that lose rows where commits wait for nobody."""


def chosen(seed: int, faults: tuple[Fault, ...]) -> Fault:
    """The fault of a seed. As many seeds in a row as there are faults bring each of them once, in an order that the block of seeds gives."""
    order = list(faults)
    Random(seed // len(order)).shuffle(order)
    return order[seed % len(order)]
