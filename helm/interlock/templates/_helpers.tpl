{{- define "interlock.fullname" -}}
{{- $given := .Values.fullnameOverride }}
{{- if not $given }}{{ $given = ternary .Release.Name (printf "%s-interlock" .Release.Name) (contains "interlock" .Release.Name) }}{{ end }}
{{- $given | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* Selectors never change: no version is in them, nor anything that a value could change. */}}
{{- define "interlock.selector" -}}
app.kubernetes.io/name: interlock
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "interlock.labels" -}}
{{ include "interlock.selector" . }}
app.kubernetes.io/part-of: interlock
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{/* An image by its digest, else by its tag. */}}
{{- define "interlock.image" -}}
{{- $image := get .root.Values.images .image }}
{{- $digest := .digest | default $image.digest }}
{{- $name := printf "%s/%s" .root.Values.image.registry $image.repository }}
{{- if $digest }}{{ $name }}@{{ $digest }}{{ else }}{{ $name }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "interlock.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "interlock.containerSecurity" -}}
readOnlyRootFilesystem: true
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
{{- end }}

{{- define "interlock.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* The most replicas that a service may have: what has two may lose one. */}}
{{- define "interlock.mostReplicas" -}}
{{- if and (eq .name "gateway") .root.Values.gatewayAutoscaling.enabled }}{{ .root.Values.gatewayAutoscaling.maxReplicas }}
{{- else if and (eq .name "prediction") .root.Values.keda.enabled }}{{ .root.Values.keda.maxReplicas }}
{{- else }}{{ (get .root.Values.services .name).replicas }}{{ end }}
{{- end }}

{{- define "interlock.autoscaled" -}}
{{- if or (and (eq .name "gateway") .root.Values.gatewayAutoscaling.enabled) (and (eq .name "prediction") .root.Values.keda.enabled) }}yes{{ end }}
{{- end }}

{{- define "interlock.hasRay" -}}
{{- if or .Values.ray.address .Values.ray.cluster.enabled }}yes{{ end }}
{{- end }}

{{/* Settings of one service that are not secret, as a mapping; those without a value are left out. */}}
{{- define "interlock.settings" -}}
{{- $root := .root }}
{{- $table := $root.Files.Get "table.yaml" | fromYaml }}
{{- $row := get $table.services .name }}
{{- $full := include "interlock.fullname" $root }}
{{- $values := $root.Values }}
{{- $known := dict
  "INTERLOCK_HOST" "0.0.0.0"
  "INTERLOCK_PORT" (toString $row.port)
  "INTERLOCK_GRPC_PORT" ($row.grpcPort | default "" | toString)
  "INTERLOCK_S3_ENDPOINT" (required "s3.endpoint: where is the object store? For instance http://minio.storage:9000" $values.s3.endpoint)
  "INTERLOCK_S3_BUCKET" $values.s3.bucket
  "INTERLOCK_S3_REGION" $values.s3.region
  "INTERLOCK_S3_JOB_ROLE" $values.s3.jobRole
  "INTERLOCK_S3_STS_ENDPOINT" $values.s3.stsEndpoint
  "INTERLOCK_CONSOLE_URL" $values.consoleUrl
  "INTERLOCK_TRAINER_PYTHON" $values.ray.python
  "INTERLOCK_RAY_ADDRESS" ($values.ray.address | default (ternary (printf "http://%s-ray-head-svc:8265" $full) "" $values.ray.cluster.enabled))
}}
{{- range $name, $other := $table.services }}
{{- $address := printf "INTERLOCK_%s_URL" (upper $name) }}
{{- if has $name $row.calls }}{{ $_ := set $known $address (printf "http://%s-%s:%v" $full $other.host $other.port) }}{{ end }}
{{- end }}
{{- $found := dict "INTERLOCK_SPANS_DIR" "" }}
{{- range $setting := $row.settings }}
{{- if not (hasKey $known $setting) }}{{ fail (printf "the chart gives no value for %s: template and table differ" $setting) }}{{ end }}
{{- with get $known $setting }}{{ $_ := set $found $setting . }}{{ end }}
{{- end }}
{{- range $collector := list (ternary (printf "http://%s-console:%v" $full $table.services.console.port) $values.tracing.endpoint (and $values.tracing.toConsole (ne .name "console"))) }}
{{- with $collector }}{{ $_ := set $found "OTEL_EXPORTER_OTLP_ENDPOINT" . }}{{ end }}
{{- end }}
{{- toYaml (merge (dict) (get $values.services .name).env $found) }}
{{- end }}
