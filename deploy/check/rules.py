"""What must hold for every service, whoever adds the next one."""

import compose

ROLES = {"edge", "router", "metering", "vault"}


def check():
    """All that is wrong, a line each."""
    project = compose.load()
    services = project["services"]
    wrong = []
    for name, service in services.items():
        wrong += [f"{name}: {fault}" for fault in hardening(service) + publishing(name, service)]
    wrong += custody(project) + defaults(services)
    return wrong


def hardening(service):
    """A container that is taken over must be worth little."""
    limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
    faults = {
        "root file system is not read-only": service.get("read_only") is not True,
        "capabilities are kept": service.get("cap_drop") != ["ALL"],
        "privileges can be gained": "no-new-privileges:true" not in service.get("security_opt", []),
        "privileged": service.get("privileged", False),
        "no limits of cpus, memory and pids": not {"cpus", "memory", "pids"} <= limits.keys(),
        "does not come back after a fault": not comes_back(service),
        "logs grow without bound": "max-size" not in service.get("logging", {}).get("options", {}),
        "no health check, and no reason why": not is_checked(service),
        "image is not pinned": not is_pinned(service["image"]),
        "a start does not wait for the other": not waits_for_health(service),
        "a secret is in the environment": holds_secrets(service),
        "uses the default network": not service.get("networks") and service.get("network_mode") != "none",
    }
    return [fault for fault, is_so in faults.items() if is_so]


def comes_back(service):
    """After a fault; one that ends by itself says so."""
    return service.get("restart") == ("no" if service.get("x-ends") else "unless-stopped")


def is_checked(service):
    check = service.get("healthcheck", {})
    return bool(check.get("test")) or bool(service.get("x-without-healthcheck"))


def is_pinned(image):
    tag = image.rsplit("/", 1)[-1].partition(":")[2]
    return bool(tag) and tag != "latest" and any(character.isdigit() for character in tag)


def waits_for_health(service):
    needed = service.get("depends_on", {})
    return all("condition" in how for how in needed.values()) if isinstance(needed, dict) else False


def holds_secrets(service):
    words = ("_KEY", "_KEYS", "PASSWORD", "TOKEN")
    names = {name.upper() for name in service.get("environment") or {}}
    # The setting `tls.key` is the name of a file.
    return any(name.endswith(words) for name in names - {"KEYWARD_TLS__KEY"})


def publishing(name, service):
    """Ports are published by what people open, on loopback unless they say otherwise."""
    may = {"keyward", "edge", "grafana", "jaeger", "prometheus"}
    ports = [str(port) for port in service.get("ports", [])]
    faults = [f"publishes {port}" for port in ports if name not in may]
    return faults + [f"publishes {port} to everybody" for port in ports if not port.startswith("127.0.0.1:")]


def custody(project):
    """The vault cannot be reached but by the roles, and reaches nobody outside."""
    services, networks = project["services"], project["networks"]
    of_vault = compose.networks(services["vault"])
    faults = [f"vault: {name} is not internal" for name in of_vault if not networks[name].get("internal")]
    listen = compose.environment(services["vault"])["KEYWARD_GRPC__LISTEN"].rsplit(":", 1)[0]
    for name, settings in of_vault.items():
        is_bound_here = (settings or {}).get("ipv4_address") == listen
        others = {other for other, service in services.items() if name in compose.networks(service)}
        if is_bound_here and others != ROLES:
            faults.append(f"vault: {sorted(others - ROLES)} can reach its gRPC on {name}")
    if listen not in [(settings or {}).get("ipv4_address") for settings in of_vault.values()]:
        faults.append(f"vault: gRPC is bound to {listen}, which is no address of its own")
    faults += [f"{name}: is given {volume}" for name, volume in foreign_keys(services)]
    if "egress" in of_vault or "front" in of_vault:
        faults.append("vault: has a way out")
    return faults


def foreign_keys(services):
    """Who is given the certificate of another role, or what signs them."""
    for name, service in services.items():
        volumes = {str(volume).split(":")[0] for volume in service.get("volumes", [])}
        keys = {volume for volume in volumes if volume == "certificates" or volume.endswith("-tls")}
        for volume in keys if name != "certificates" else ():
            if volume != f"{name}-tls":
                yield name, volume


def defaults(services):
    """`docker compose up` starts one service, with a volume."""
    default = [name for name, service in services.items() if not service.get("profiles")]
    faults = [] if default == ["keyward"] else [f"started by default: {default}"]
    if not any(str(volume).endswith(":/data") for volume in services["keyward"].get("volumes", [])):
        faults.append("keyward: its data is in no volume")
    return faults
