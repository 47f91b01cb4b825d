{{- define "live-audience.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 45 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 45 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 45 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "live-audience.selector" -}}
app.kubernetes.io/name: live-audience
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: worker
{{- end -}}

{{- /* Not for selectors: the version changes. Give (dict "root" $ "component" "worker"). */ -}}
{{- define "live-audience.labels" -}}
app.kubernetes.io/name: live-audience
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: live-audience
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "live-audience.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "live-audience.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "live-audience.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "live-audience.group" -}}
{{- default (include "live-audience.fullname" .) .Values.group -}}
{{- end -}}

{{- /* A duration such as 500ms, 90s, 15m, 2h or 7d. */ -}}
{{- define "live-audience.milliseconds" -}}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 -}}
{{- mul (regexFind "^[0-9]+" . | int64) (get $units (regexFind "[a-z]+$" .)) -}}
{{- end -}}

{{- /* The two stages drain one after the other, then leave their groups within 10 s; and to spare. */ -}}
{{- define "live-audience.gracePeriod" -}}
{{- add (div (add (mul 2 (include "live-audience.milliseconds" .Values.drain | int64)) 999) 1000) 25 -}}
{{- end -}}

{{- /* Who the workers, the topics' jobs, or the gateways are to the brokers: {user, secret}. */ -}}
{{- define "live-audience.login" -}}
{{- $security := .root.Values.security -}}
{{- $user := $security.user -}}
{{- $secret := $security.secret -}}
{{- if .root.Values.strimzi.user.enabled -}}
{{- $name := include "live-audience.fullname" .root -}}
{{- if ne .component "worker" -}}
{{- $name = printf "%s-%s" $name .component -}}
{{- end -}}
{{- $user = $name -}}
{{- $secret = $name -}}
{{- else if eq .component "topics" -}}
{{- $user = default $user .root.Values.topicsJob.user -}}
{{- $secret = default $secret .root.Values.topicsJob.secret -}}
{{- else if eq .component "gateway" -}}
{{- $user = default $user .root.Values.gateway.user -}}
{{- $secret = default $secret .root.Values.gateway.secret -}}
{{- end -}}
{{- dict "user" $user "secret" $secret | toJson -}}
{{- end -}}

{{- define "live-audience.caSecret" -}}
{{- if .Values.security.ca.secret -}}
{{- .Values.security.ca.secret -}}
{{- else if and .Values.strimzi.user.enabled (contains "SSL" .Values.security.protocol) -}}
{{- printf "%s-cluster-ca-cert" .Values.strimzi.cluster -}}
{{- end -}}
{{- end -}}

{{- /* Which files of the login's Secret are used: a mapping of setting to entry. */ -}}
{{- define "live-audience.loginFiles" -}}
{{- $security := .Values.security -}}
{{- $keys := $security.keys -}}
{{- $files := dict -}}
{{- $login := include "live-audience.login" (dict "root" . "component" "worker") | fromJson -}}
{{- if hasPrefix "SASL_" $security.protocol -}}
{{- if eq $security.mechanism "OAUTHBEARER" -}}
{{- $_ := set $files "AUDIENCE_SECURITY_TOKEN_FILE" (default "token" $keys.token) -}}
{{- else -}}
{{- $_ := set $files "AUDIENCE_SECURITY_PASSWORD_FILE" (default "password" $keys.password) -}}
{{- end -}}
{{- else if and (eq $security.protocol "SSL") $login.secret -}}
{{- $prefix := ternary "user" "tls" .Values.strimzi.user.enabled -}}
{{- $_ := set $files "AUDIENCE_SECURITY_CERTIFICATE" (default (printf "%s.crt" $prefix) $keys.certificate) -}}
{{- $_ := set $files "AUDIENCE_SECURITY_KEY" (default (printf "%s.key" $prefix) $keys.key) -}}
{{- with $keys.keyPassword -}}
{{- $_ := set $files "AUDIENCE_SECURITY_KEY_PASSWORD_FILE" . -}}
{{- end -}}
{{- end -}}
{{- $files | toJson -}}
{{- end -}}

{{- /* The environment that the workers and the topics' job share. */ -}}
{{- define "live-audience.env" -}}
{{- $login := include "live-audience.login" . | fromJson -}}
{{- $values := .root.Values -}}
{{- $own := dict
  "AUDIENCE_BROKERS" $values.brokers
  "AUDIENCE_GROUP" (include "live-audience.group" .root)
  "AUDIENCE_TOPIC_PREFIX" $values.topicPrefix
  "AUDIENCE_OUTPUT_PREFIX" $values.outputPrefix
  "AUDIENCE_PARTITIONS" (toString $values.partitions)
  "AUDIENCE_REPLICATION" (toString $values.replication)
  "AUDIENCE_RETENTION" $values.retention
  "AUDIENCE_REJECTED_RETENTION" $values.rejectedRetention
  "AUDIENCE_SESSION_TIMEOUT" $values.sessionTimeout
  "AUDIENCE_REBALANCE_TIMEOUT" $values.rebalanceTimeout
  "AUDIENCE_DRAIN" $values.drain
  "AUDIENCE_LOG_FORMAT" "json"
  "AUDIENCE_SECURITY" $values.security.protocol -}}
{{- if hasPrefix "SASL_" $values.security.protocol -}}
{{- $_ := set $own "AUDIENCE_SECURITY_MECHANISM" $values.security.mechanism -}}
{{- if ne $values.security.mechanism "OAUTHBEARER" -}}
{{- $_ := set $own "AUDIENCE_SECURITY_USER" $login.user -}}
{{- end -}}
{{- end -}}
{{- range $setting, $file := include "live-audience.loginFiles" .root | fromJson -}}
{{- $_ := set $own $setting (printf "/etc/live-audience/login/%s" $file) -}}
{{- end -}}
{{- if include "live-audience.caSecret" .root -}}
{{- $_ := set $own "AUDIENCE_SECURITY_CA" (printf "/etc/live-audience/ca/%s" $values.security.ca.key) -}}
{{- end -}}
{{- range $name, $value := $values.settings -}}
{{- if or (hasKey $own $name) (has $name (list "AUDIENCE_INSTANCE" "AUDIENCE_HTTP_HOST" "AUDIENCE_HTTP_PORT" "AUDIENCE_HTTP_ANONYMOUS" "AUDIENCE_HTTP_TOKEN_FILE" "AUDIENCE_GATEWAY")) (hasPrefix "AUDIENCE_SECURITY" $name) -}}
{{- if ne $name "AUDIENCE_LOG_FORMAT" -}}
{{- fail (printf "settings.%s: the chart sets it itself, from a value of its own" $name) -}}
{{- end -}}
{{- end -}}
{{- /* Helm has every number as a float, and 1000000 would be written 1e+06. */ -}}
{{- if kindIs "float64" $value -}}
{{- $value = int64 $value -}}
{{- end -}}
{{- $_ := set $own $name (toString $value) -}}
{{- end -}}
{{- range $name, $value := $own }}
{{- if ne $value "" }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "live-audience.volumeMounts" -}}
- name: tmp
  mountPath: /tmp
{{- if include "live-audience.loginFiles" .root | fromJson }}
- name: login
  mountPath: /etc/live-audience/login
  readOnly: true
{{- end }}
{{- if include "live-audience.caSecret" .root }}
- name: ca
  mountPath: /etc/live-audience/ca
  readOnly: true
{{- end }}
{{- if and (eq .component "worker") .root.Values.http.secret }}
- name: http
  mountPath: /etc/live-audience/http
  readOnly: true
{{- end }}
{{- end -}}

{{- /* Whole folders, no subPath: only these follow a Secret that is changed. */ -}}
{{- define "live-audience.volumes" -}}
{{- $login := include "live-audience.login" . | fromJson -}}
{{- $files := include "live-audience.loginFiles" .root | fromJson -}}
- name: tmp
  emptyDir:
    medium: Memory
    sizeLimit: 16Mi
{{- if $files }}
- name: login
  secret:
    secretName: {{ $login.secret }}
    defaultMode: 0440
    items:
      {{- range $_, $file := $files }}
      - key: {{ $file | quote }}
        path: {{ $file | quote }}
      {{- end }}
{{- end }}
{{- with include "live-audience.caSecret" .root }}
- name: ca
  secret:
    secretName: {{ . }}
    defaultMode: 0440
    items:
      - key: {{ $.root.Values.security.ca.key | quote }}
        path: {{ $.root.Values.security.ca.key | quote }}
{{- end }}
{{- if and (eq .component "worker") .root.Values.http.secret }}
- name: http
  secret:
    secretName: {{ .root.Values.http.secret }}
    defaultMode: 0440
    items:
      - key: {{ .root.Values.http.key | quote }}
        path: {{ .root.Values.http.key | quote }}
{{- end }}
{{- end -}}

{{- define "live-audience.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
# The Secrets' files are its group's to read.
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "live-audience.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop:
    - ALL
{{- end -}}

{{- /* The topics' job as a hook, or plain. */ -}}
{{- define "live-audience.jobMode" -}}
{{- if ne .Values.topicsJob.mode "auto" -}}
{{- .Values.topicsJob.mode -}}
{{- else if or .Values.strimzi.user.enabled .Values.strimzi.topics.enabled -}}
job
{{- else -}}
hook
{{- end -}}
{{- end -}}

{{- /* Topics and rights as the code has them, with this release's names. */ -}}
{{- define "live-audience.kafka" -}}
{{- $quorum := ternary "2" "1" (ge (int .Values.replication) 3) -}}
{{- .Files.Get "files/kafka.json"
  | replace "TOPIC_PREFIX." .Values.topicPrefix
  | replace "OUTPUT_PREFIX." (default .Values.topicPrefix .Values.outputPrefix)
  | replace "AUDIENCE_GROUP" (include "live-audience.group" .)
  | replace "MIN_INSYNC" $quorum
  | replace "MINUTES_RETENTION" (include "live-audience.milliseconds" (default "35d" .Values.settings.AUDIENCE_MINUTES_RETENTION))
  | replace "REJECTED_RETENTION" (include "live-audience.milliseconds" .Values.rejectedRetention)
  | replace "EVENTS_RETENTION" (include "live-audience.milliseconds" .Values.retention) -}}
{{- end -}}

{{- /* Whether sealed minutes go out: AUDIENCE_MINUTES of the settings. */ -}}
{{- define "live-audience.minutes" -}}
{{- if eq (default "off" .Values.settings.AUDIENCE_MINUTES | toString | lower) "on" }}on{{ end -}}
{{- end -}}

{{- /* A topic's name as the name of a resource. */ -}}
{{- define "live-audience.resourceName" -}}
{{- if regexMatch "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$" . -}}
{{- . -}}
{{- else -}}
{{- printf "%s-%s" (regexReplaceAll "[^a-z0-9]+" (lower .) "-" | trimAll "-") (sha256sum . | trunc 8) -}}
{{- end -}}
{{- end -}}

{{- /* What cannot work, in words. */ -}}
{{- define "live-audience.check" -}}
{{- if not .Values.brokers -}}
{{- fail "brokers: must be set, e.g. --set-string brokers=kafka-1:9092\\,kafka-2:9092" -}}
{{- end -}}
{{- $security := .Values.security -}}
{{- $login := include "live-audience.login" (dict "root" . "component" "worker") | fromJson -}}
{{- if hasPrefix "SASL_" $security.protocol -}}
{{- if not $login.secret -}}
{{- fail (printf "security.secret: %s needs a Secret with the password or token" $security.protocol) -}}
{{- end -}}
{{- if and (ne $security.mechanism "OAUTHBEARER") (not $login.user) -}}
{{- fail (printf "security.user: %s needs a user" $security.mechanism) -}}
{{- end -}}
{{- end -}}
{{- $strimzi := .Values.strimzi -}}
{{- if and (or $strimzi.user.enabled $strimzi.topics.enabled) (not $strimzi.cluster) -}}
{{- fail "strimzi.cluster: must be set: the name of the Kafka resource" -}}
{{- end -}}
{{- if $strimzi.user.enabled -}}
{{- if and (eq $strimzi.user.authentication "tls") (ne $security.protocol "SSL") -}}
{{- fail "security.protocol: must be SSL where strimzi.user.authentication is tls" -}}
{{- end -}}
{{- if and (eq $strimzi.user.authentication "scram-sha-512") (or (not (hasPrefix "SASL_" $security.protocol)) (ne $security.mechanism "SCRAM-SHA-512")) -}}
{{- fail "security: must be SASL_SSL and SCRAM-SHA-512 where strimzi.user.authentication is scram-sha-512" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.topicsJob.enabled (eq (include "live-audience.jobMode" .) "hook") $strimzi.user.enabled -}}
{{- fail "topicsJob.mode: must not be hook where strimzi.user.enabled: its user comes with the release" -}}
{{- end -}}
{{- $gateway := .Values.gateway -}}
{{- if and $gateway.enabled (not $gateway.config) -}}
{{- fail "gateway.config: must be set, e.g. --set-file gateway.config=gateway.toml: docs/gateway.md has what it holds" -}}
{{- end -}}
{{- if and $gateway.enabled (regexMatch "(?m)^[ \\t]*(health_)?(host|port)[ \\t]*=" $gateway.config) -}}
{{- fail "gateway.config: must not set host, port, health_host or health_port: the chart does" -}}
{{- end -}}
{{- if and .Values.podMonitor.enabled (eq .Values.http.anonymous "none") (not .Values.http.secret) -}}
{{- fail "http.secret: must be set where http.anonymous is none and podMonitor.enabled: a scrape needs its token" -}}
{{- end -}}
{{- $keda := .Values.keda -}}
{{- if $keda.enabled -}}
{{- if not $keda.prometheus -}}
{{- fail "keda.prometheus: must be set: the address of a Prometheus that scrapes the workers" -}}
{{- end -}}
{{- if gt (int $keda.maxReplicas) (int .Values.partitions) -}}
{{- fail "keda.maxReplicas: more than partitions: those would have nothing to do" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "live-audience.gatewaySelector" -}}
app.kubernetes.io/name: live-audience
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: gateway
{{- end -}}

{{- /* The gateway's file: where it listens is for the chart to say, all else is gateway.config. */ -}}
{{- define "live-audience.gatewayConfig" -}}
host = {{ .Values.http.host | quote }}
port = 9640
health_host = {{ .Values.http.host | quote }}
health_port = 9641

{{ .Values.gateway.config }}
{{- end -}}

{{- /* Of the two stages the gateway has one; 5 s until no sender is sent to it; and to spare. */ -}}
{{- define "live-audience.gatewayGracePeriod" -}}
{{- add (div (add (include "live-audience.milliseconds" .Values.drain | int64) 999) 1000) 30 -}}
{{- end -}}

{{/* The label `job` of the metrics: as told, or as the Prometheus Operator names it by itself. */}}
{{- define "live-audience.job" -}}
{{ .Values.podMonitor.job | default (printf "%s/%s" .Release.Namespace (include "live-audience.fullname" .)) }}
{{- end }}

{{/* The same of the gateways: their monitor is named so too. */}}
{{- define "live-audience.gatewayJob" -}}
{{ include "live-audience.job" . }}-gateway
{{- end }}

{{/* Matchers of the metrics of this release alone, of workers or gateways by their job. The Operator labels them with the namespace too. */}}
{{- define "live-audience.metrics" -}}
{{ if .root.Values.podMonitor.enabled }}namespace={{ .root.Release.Namespace | quote }}, {{ end }}job={{ .job | quote }}
{{- end }}
