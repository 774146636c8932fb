"""Names of spans and attributes, declared once.

Messaging and pipeline names follow the OpenTelemetry semantic conventions (messaging, cicd); ours begin with
``interlock.``.
"""

RUN_ID = "cicd.pipeline.run.id"
PIPELINE = "cicd.pipeline.name"
RESULT = "cicd.pipeline.result"
TASK = "cicd.pipeline.task.name"

MODEL = "interlock.model.name"
VERSION = "interlock.model.version"
PROMOTION_SEQ = "interlock.promotion_seq"
WORKER = "interlock.worker"
DATASET = "interlock.dataset.digest"
ATTEMPT = "interlock.attempt"

STATUS = "http.response.status_code"

EVENT_ID = "cloudevents.event_id"
EVENT_TYPE = "cloudevents.event_type"

MESSAGING_SYSTEM = "messaging.system"
MESSAGING_OPERATION = "messaging.operation.name"
MESSAGING_DESTINATION = "messaging.destination.name"
MESSAGING_BATCH = "messaging.batch.message_count"
MESSAGING_ROUTING_KEY = "messaging.rabbitmq.destination.routing_key"

SPAN_SEND = "send {destination}"
SPAN_PROCESS = "process {destination}"
SPAN_UPLOAD = "upload"
SPAN_FETCH = "fetch submitted object"
SPAN_CHECK = "check"
SPAN_RETRAIN = "retrain"
SPAN_PREDICT_LATER = "predict later"
SPAN_DISPATCH = "dispatch"
SPAN_TRAIN = "train"
SPAN_SWAP = "swap"
SPAN_PREDICT = "predict"
