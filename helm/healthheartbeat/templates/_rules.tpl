{{/* What the operator may do in a namespace it watches: what it reads at every sweep, and its few writes. */}}
{{- define "healthheartbeat.rules.operator" -}}
- apiGroups: [gov.polytraders.io]
  resources: [healthheartbeats]
  verbs: [get, list, watch]
- apiGroups: [gov.polytraders.io]
  resources: [healthheartbeats/status]
  verbs: [update]
- apiGroups: [""]
  resources: [services]
  verbs: [list]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, delete]
{{- with .Values.killSwitch.configMapNames }}
- apiGroups: [""]
  resources: [configmaps]
  {{- if not (has "*" .) }}
  resourceNames: {{ toJson . }}
  {{- end }}
  verbs: [get]
{{- end }}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, create, update]
{{- if .Values.allNamespaces }}
# kopf looks for the resource's definition when it watches all namespaces.
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  verbs: [get, list, watch]
{{- end }}
{{- end }}

{{/* What the watchdog may do: see which resources there are, and mark a status that nobody refreshes. */}}
{{- define "healthheartbeat.rules.watchdog" -}}
- apiGroups: [gov.polytraders.io]
  resources: [healthheartbeats]
  verbs: [get, list]
- apiGroups: [gov.polytraders.io]
  resources: [healthheartbeats/status]
  verbs: [patch]
{{- end }}

{{/* What the cron runner may do: annotate resources. RBAC cannot narrow that to one annotation. */}}
{{- define "healthheartbeat.rules.cron-runner" -}}
- apiGroups: [gov.polytraders.io]
  resources: [healthheartbeats]
  verbs: [get, list, patch]
{{- end }}
