{{/* A podAntiAffinity to the operator's pods, by node: (dict "root" $ "how" "preferred"). */}}
{{- define "healthheartbeat.antiAffinity" -}}
{{- $selector := include "healthheartbeat.selector" (dict "root" .root "component" "operator") }}
{{- if eq .how "required" -}}
requiredDuringSchedulingIgnoredDuringExecution:
  - topologyKey: kubernetes.io/hostname
    labelSelector:
      matchLabels:
        {{- $selector | nindent 8 }}
{{- else -}}
preferredDuringSchedulingIgnoredDuringExecution:
  - weight: 100
    podAffinityTerm:
      topologyKey: kubernetes.io/hostname
      labelSelector:
        matchLabels:
          {{- $selector | nindent 10 }}
{{- end }}
{{- end }}
