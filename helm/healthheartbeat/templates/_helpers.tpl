{{/* The objects' name, from the release's; short enough for what is put behind it. */}}
{{- define "healthheartbeat.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{/* A name that no other release has, of an object that is in no namespace, or in another's: (dict "root" $ "suffix" "-fence"). */}}
{{- define "healthheartbeat.scoped" -}}
{{- printf "%s%s.%s" (include "healthheartbeat.fullname" .root) (default "" .suffix) .root.Release.Namespace }}
{{- end }}

{{/* The name of a Role in a namespace: (dict "root" $ "suffix" "" "namespace" ns). */}}
{{- define "healthheartbeat.roleName" -}}
{{- if eq .namespace .root.Release.Namespace }}
{{- printf "%s%s" (include "healthheartbeat.fullname" .root) (default "" .suffix) }}
{{- else }}
{{- include "healthheartbeat.scoped" . }}
{{- end }}
{{- end }}

{{/* The labels of every object: (dict "root" $ "component" "operator"). */}}
{{- define "healthheartbeat.labels" -}}
{{- with .root.Values.commonLabels }}
{{- toYaml . }}
{{ end -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
{{ include "healthheartbeat.selector" . }}
{{- end }}

{{/* The labels that select the pods of a component. */}}
{{- define "healthheartbeat.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{- define "healthheartbeat.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* The namespaces that are watched, as a JSON list; empty: all. */}}
{{- define "healthheartbeat.namespaces" -}}
{{- if .Values.allNamespaces }}
{{- list | toJson }}
{{- else }}
{{- default (list .Release.Namespace) .Values.watchNamespaces | uniq | sortAlpha | toJson }}
{{- end }}
{{- end }}

{{/* The account of a component: (dict "root" $ "of" .Values.operator "suffix" ""). */}}
{{- define "healthheartbeat.account" -}}
{{- default (printf "%s%s" (include "healthheartbeat.fullname" .root) .suffix) .of.serviceAccount.name }}
{{- end }}

{{/* A pod's security context, the given fields on top of what Pod Security "restricted" asks for. */}}
{{- define "healthheartbeat.podSecurity" -}}
{{- merge (dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault")) (default dict .) | toYaml }}
{{- end }}

{{- define "healthheartbeat.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* The Secret of one way out, if any: (dict "root" $ "of" .Values.notify "suffix" "-notify" "list" "urls"). */}}
{{- define "healthheartbeat.secretName" -}}
{{- if .of.existingSecret }}
{{- .of.existingSecret }}
{{- else if get .of .list }}
{{- printf "%s%s" (include "healthheartbeat.fullname" .root) .suffix }}
{{- end }}
{{- end }}

{{/* The Secret that operator and watchdog share. */}}
{{- define "healthheartbeat.watchdogSecret" -}}
{{- default (printf "%s-watchdog" (include "healthheartbeat.fullname" .)) .Values.watchdog.secret.existingSecret }}
{{- end }}

{{/* Where the operator reports to; empty: nowhere. */}}
{{- define "healthheartbeat.watchdogUrl" -}}
{{- if .Values.watchdog.enabled }}
{{- printf "http://%s-watchdog.%s.svc:%v" (include "healthheartbeat.fullname" .) .Release.Namespace .Values.watchdog.port }}
{{- else }}
{{- .Values.watchdog.url }}
{{- end }}
{{- end }}

{{/* Which of the watchdog's ways out is in force: its own, or else the operator's. As JSON, with the suffix of its Secret. */}}
{{- define "healthheartbeat.watchdogNotify" -}}
{{- $own := .Values.watchdog.notify }}
{{- if or $own.urls $own.existingSecret }}
{{- dict "of" $own "suffix" "-watchdog-notify" | toJson }}
{{- else }}
{{- dict "of" .Values.notify "suffix" "-notify" | toJson }}
{{- end }}
{{- end }}

{{- define "healthheartbeat.watchdogAlertmanager" -}}
{{- $own := .Values.watchdog.alertmanager }}
{{- if or $own.urls $own.existingSecret }}
{{- $own | toJson }}
{{- else }}
{{- .Values.alertmanager | toJson }}
{{- end }}
{{- end }}

{{/* What every process is told of pages: (dict "root" $ "alertmanager" … "notifySecret" name "heartbeat" … "heartbeatSecret" name).
     As variables, so that `kubectl exec … polytraders gov health test-page` tries the same ways out. */}}
{{- define "healthheartbeat.pagesEnv" -}}
{{- if .alertmanager.existingSecret }}
- name: HEALTHHEARTBEAT_ALERTMANAGER_URL
  valueFrom:
    secretKeyRef: {name: {{ .alertmanager.existingSecret }}, key: {{ .alertmanager.key }}}
{{- else if .alertmanager.urls }}
- name: HEALTHHEARTBEAT_ALERTMANAGER_URL
  value: {{ join " " .alertmanager.urls | quote }}
{{- end }}
{{- if .notifySecret }}
- name: HEALTHHEARTBEAT_NOTIFY_FILE
  value: /etc/healthheartbeat/notify/urls
{{- end }}
{{- if .heartbeatSecret }}
- name: HEALTHHEARTBEAT_HEARTBEAT_URL
  valueFrom:
    secretKeyRef: {name: {{ .heartbeatSecret }}, key: {{ ternary .heartbeat.key "url" (not (empty .heartbeat.existingSecret)) }}}
{{- end }}
{{- with .root.Values.runbookUrl }}
- name: HEALTHHEARTBEAT_RUNBOOK_URL
  value: {{ . | quote }}
{{- end }}
{{- end }}

{{/* Peers of a NetworkPolicy that are pods of this release: (dict "root" $ "component" "operator"). */}}
{{- define "healthheartbeat.peer" -}}
- podSelector:
    matchLabels:
      {{- include "healthheartbeat.selector" . | nindent 6 }}
{{- end }}

{{/* A string as CEL has it. */}}
{{- define "healthheartbeat.cel" -}}
'{{ . | replace "\\" "\\\\" | replace "'" "\\'" }}'
{{- end }}
