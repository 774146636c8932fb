"""The parts of ``compose.yaml`` that do not follow from the table: anchors, servers, and what runs before a start."""

SERVER_SECRETS = {
    "postgres_admin_url",
    "postgres_password",
    "postgres_roles.json",
    "rabbitmq_admin_url",
    "rabbitmq_definitions.json",
    "ray_token",
    "s3_identities.json",
    "s3_roles.json",
    "s3_security.toml",
    "store_admin_s3_access_key",
    "store_admin_s3_secret_key",
}

HEAD = """\
# Made from `contracts/interlock_contracts/deployment.py` by `make contracts`; do not edit.
# Changes of your own go into compose.override.yaml beside it, or into further files: docker compose -f ... -f ...
# First `interlock compose init`, which makes the secrets and .env; then `docker compose up --detach`.
name: interlock

x-hardened: &hardened
  user: "10001:10001"
  read_only: true
  cap_drop: [ALL]
  security_opt: ["no-new-privileges:true"]
  tmpfs: ["/tmp:mode=1777,size=256m"]
  restart: unless-stopped
  stop_grace_period: @STOP@s

x-service: &service
  <<: *hardened
  healthcheck:
    test: [CMD, python, -m, interlock_runtime.probe]
    interval: 10s
    timeout: 5s
    retries: 3
    start_period: 60s

x-light: &light
  <<: *service
  image: ${INTERLOCK_IMAGES:-localhost/interlock}/light:${INTERLOCK_TAG:-@TAG@}

x-model: &model
  <<: *service
  image: ${INTERLOCK_IMAGES:-localhost/interlock}/model:${INTERLOCK_TAG:-@TAG@}

# One image for head and workers; a worker finds the head by its name, so there may be any number of them:
# docker compose up --detach --scale ray-worker=3
x-ray: &ray
  <<: *hardened
  image: ${INTERLOCK_IMAGES:-localhost/interlock}/trainer:${INTERLOCK_TAG:-@TAG@}
  networks: [ray]
  secrets: [ray_token]
  tmpfs: ["/tmp:mode=1777,size=2g"]
  environment:
    RAY_AUTH_MODE: token
    RAY_AUTH_TOKEN_PATH: /run/secrets/ray_token
    RAY_USAGE_STATS_ENABLED: "0"
    RAY_ROTATION_MAX_BYTES: "16000000"  # logs stand in /tmp, which is memory
    RAY_ROTATION_BACKUP_COUNT: "2"
    INTERLOCK_SPANS_DIR: ""

services:
"""

SERVERS = """\
  # Once before each start: volumes belong to the user that the containers run as.
  volumes:
    <<: *light
    user: "0:0"
    cap_add: [CHOWN]
    network_mode: none
    restart: "no"
    healthcheck: {disable: true}
    command: [sh, -c, "chown 10001:10001 /volumes/*"]
    volumes:
      - rabbitmq:/volumes/rabbitmq
      - postgres:/volumes/postgres
      - s3:/volumes/s3
      - @MOUNTS@

  # Exchanges and queues, a role and a schema for each service, the bucket: what is there stays as it is, so this runs
  # before each start, and an upgrade needs no other step.
  setup:
    <<: *light
    networks: [rabbitmq, postgres, s3]
    restart: "no"
    healthcheck: {disable: true}
    command:
      - sh
      - -ec
      - |
        export INTERLOCK_AMQP_URL="$$(cat /run/secrets/rabbitmq_admin_url)"
        export INTERLOCK_POSTGRES_URL="$$(cat /run/secrets/postgres_admin_url)"
        export INTERLOCK_S3_ACCESS_KEY="$$(cat /run/secrets/store_admin_s3_access_key)"
        export INTERLOCK_S3_SECRET_KEY="$$(cat /run/secrets/store_admin_s3_secret_key)"
        python -m interlock_messaging
        python -m interlock_runtime.roles < /run/secrets/postgres_roles.json
        python -m interlock_artifacts
    environment:
      INTERLOCK_S3_ENDPOINT: http://s3:8333
    secrets:
      - rabbitmq_admin_url
      - postgres_admin_url
      - postgres_roles.json
      - store_admin_s3_access_key
      - store_admin_s3_secret_key
    depends_on:
      rabbitmq: {condition: service_healthy}
      postgres: {condition: service_healthy}
      s3: {condition: service_healthy}

  rabbitmq:
    <<: *hardened
    image: ${RABBITMQ_IMAGE:-docker.io/library/rabbitmq:3.13.7}
    hostname: rabbitmq  # its data is kept under this name
    networks: [rabbitmq]
    stop_grace_period: 60s
    tmpfs: ["/tmp:mode=1777,size=64m", "/var/log/rabbitmq:mode=1777,size=16m"]
    environment:
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: +sbwt none +sbwtdcpu none +sbwtdio none  # else it keeps cores busy waiting
    volumes:
      - type: volume
        source: rabbitmq
        target: /var/lib/rabbitmq
        volume: {nocopy: true}
      - ./rabbitmq/rabbitmq.conf:/etc/rabbitmq/conf.d/30-interlock.conf:ro
    secrets: [rabbitmq_definitions.json]
    depends_on:
      volumes: {condition: service_completed_successfully}
    healthcheck:  # it opens the port last; its own commands would start a second Erlang each time
      test: [CMD, bash, -c, "exec 3<>/dev/tcp/127.0.0.1/5672"]
      interval: 5s
      timeout: 5s
      retries: 5
      start_period: 120s
    deploy:
      resources:
        limits: {memory: 1024M}

  postgres:
    <<: *hardened
    image: ${POSTGRES_IMAGE:-docker.io/library/postgres:18.6}
    networks: [postgres]
    stop_grace_period: 60s
    stop_signal: SIGINT
    shm_size: 128m
    tmpfs: ["/tmp:mode=1777,size=64m", "/var/run/postgresql:mode=1777,size=1m"]
    environment:
      POSTGRES_USER: interlock
      POSTGRES_DB: interlock
      POSTGRES_PASSWORD_FILE: /run/secrets/postgres_password
      POSTGRES_INITDB_ARGS: --encoding=UTF8 --no-locale
      POSTGRES_HOST_AUTH_METHOD: scram-sha-256
    command: [postgres, -c, max_connections=200]
    volumes:
      - type: volume
        source: postgres
        target: /var/lib/postgresql
        volume: {nocopy: true}
    secrets: [postgres_password]
    depends_on:
      volumes: {condition: service_completed_successfully}
    healthcheck:  # by TCP: while it is being initialized it answers at its socket only
      test: [CMD, pg_isready, --quiet, --host=127.0.0.1, --username=interlock]
      interval: 5s
      timeout: 5s
      retries: 5
      start_period: 60s
    deploy:
      resources:
        limits: {memory: 1024M}

  # SeaweedFS: only its S3 port is open to other containers. Jobs on Ray read and write here, hence its network.
  s3:
    <<: *hardened
    image: ${SEAWEEDFS_IMAGE:-docker.io/chrislusf/seaweedfs:4.48}
    networks: [s3, ray]
    entrypoint: [weed]
    command:
      - -logtostderr=true  # not to files in /tmp
      - server
      - -dir=/data
      - -ip=127.0.0.1
      - -ip.bind=127.0.0.1
      - -master.telemetry=false
      - -master.volumeSizeLimitMB=1024
      - -volume.max=0
      - -volume.preStopSeconds=0
      - -filer
      - -s3
      - -s3.ip.bind=0.0.0.0
      - -s3.port=8333
      - -s3.port.iceberg=0
      - -s3.port.lance=0
      - -s3.config=/run/secrets/s3_identities.json
      - -s3.iam.config=/run/secrets/s3_roles.json
    volumes:
      - type: volume
        source: s3
        target: /data
        volume: {nocopy: true}
    secrets:
      - s3_identities.json
      - s3_roles.json
      - source: s3_security.toml
        target: /etc/seaweedfs/security.toml
    depends_on:
      volumes: {condition: service_completed_successfully}
    healthcheck:
      test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:8333/healthz"]
      interval: 5s
      timeout: 5s
      retries: 5
      start_period: 60s
    deploy:
      resources:
        limits: {memory: 1024M}

  # No tasks on the head, only the jobs' own programs.
  ray-head:
    <<: *ray
    command:
      - ray
      - start
      - --head
      - --block
      - --disable-usage-stats
      - --num-cpus=0
      - --port=6379
      - --dashboard-host=0.0.0.0
      - --dashboard-port=8265
      - --object-store-memory=268435456
    shm_size: 320m
    healthcheck:
      test: [CMD, python, -c, "import socket; socket.create_connection(('127.0.0.1', 8265), 3)"]
      interval: 5s
      timeout: 5s
      retries: 5
      start_period: 120s
    deploy:
      resources:
        limits: {memory: "${RAY_HEAD_MEMORY:-4g}"}

  ray-worker:
    <<: *ray
    command:
      - ray
      - start
      - --block
      - --disable-usage-stats
      - --address=ray-head:6379
      - --num-cpus=${RAY_WORKER_CPUS:-2}
      - --object-store-memory=536870912
    shm_size: 640m
    depends_on:
      ray-head: {condition: service_healthy}
    healthcheck:
      test:
        - CMD
        - python
        - -c
        - import socket; socket.socket(socket.AF_UNIX).connect('/tmp/ray/session_latest/sockets/raylet')
      interval: 5s
      timeout: 5s
      retries: 5
      start_period: 120s
    deploy:
      replicas: 1
      resources:
        limits: {memory: "${RAY_WORKER_MEMORY:-4g}"}
"""

TAIL = """\
# A server's network holds who uses it and nobody else. All but one have no way to the outside.
networks:
  services: {internal: true}
  rabbitmq: {internal: true}
  postgres: {internal: true}
  s3: {internal: true}
  ray: {internal: true}
  outside: {}

volumes:
  rabbitmq:
  postgres:
  s3:
"""
