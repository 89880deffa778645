{{/* What the schema cannot say: values that contradict each other. */}}
{{- define "healthheartbeat.validate" -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" (include "healthheartbeat.fullname" .)) }}
{{- fail (printf "%s cannot be the name of a Service (a to z, 0 to 9 and -, a letter first): give fullnameOverride" (include "healthheartbeat.fullname" .)) }}
{{- end }}
{{- if and .Values.allNamespaces .Values.watchNamespaces }}
{{- fail "allNamespaces is true and watchNamespaces is given: give one of them" }}
{{- end }}
{{- range $path, $of := dict "alertmanager" .Values.alertmanager "notify" .Values.notify "watchdog.alertmanager" .Values.watchdog.alertmanager "watchdog.notify" .Values.watchdog.notify }}
{{- if and $of.urls $of.existingSecret }}
{{- fail (printf "%s.urls and %s.existingSecret are both given: give one of them" $path $path) }}
{{- end }}
{{- end }}
{{- range $path, $of := dict "operator.heartbeat" .Values.operator.heartbeat "watchdog.heartbeat" .Values.watchdog.heartbeat }}
{{- if and $of.url $of.existingSecret }}
{{- fail (printf "%s.url and %s.existingSecret are both given: give one of them" $path $path) }}
{{- end }}
{{- end }}
{{- if and .Values.watchdog.secret.value .Values.watchdog.secret.existingSecret }}
{{- fail "watchdog.secret.value and watchdog.secret.existingSecret are both given: give one of them" }}
{{- end }}
{{- if and .Values.watchdog.enabled .Values.watchdog.url }}
{{- fail "watchdog.url is for a watchdog elsewhere: with it, set watchdog.enabled to false" }}
{{- end }}
{{- if and .Values.watchdog.url (not .Values.watchdog.secret.value) (not .Values.watchdog.secret.existingSecret) }}
{{- fail "watchdog.url is for a watchdog elsewhere, which has a secret already: give it as watchdog.secret.existingSecret, or .value" }}
{{- end }}
{{- if and .Values.operator.heartbeat.url (eq .Values.operator.heartbeat.url .Values.watchdog.heartbeat.url) }}
{{- fail "operator.heartbeat.url and watchdog.heartbeat.url are the same: one would cover up the other's death; give each its own" }}
{{- end }}
{{- if and .Values.statusPage.enabled (eq (int .Values.statusPage.port) (int .Values.operator.port)) }}
{{- fail "statusPage.port is operator.port: give the status page a port of its own" }}
{{- end }}
{{- range $component := list "operator" "watchdog" "cronRunner" }}
{{- $account := (index $.Values $component).serviceAccount }}
{{- if and (not $account.create) (not $account.name) }}
{{- fail (printf "%s.serviceAccount.create is false: name the account in %s.serviceAccount.name" $component $component) }}
{{- end }}
{{- end }}
{{- end }}
