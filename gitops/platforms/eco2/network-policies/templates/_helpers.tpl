{{/* A party as a peer of a rule. */}}
{{- define "peer" -}}
namespaceSelector:
  matchLabels:
    kubernetes.io/metadata.name: {{ .namespace }}
podSelector:
  matchLabels:
    {{- toYaml .labels | nindent 4 }}
{{- end -}}

{{/* The port that a cell (party.port) names; one that names nothing is refused. */}}
{{- define "port" -}}
{{- $names := splitList "." .cell -}}
{{- $party := get .parties (first $names) | default dict -}}
{{- get ($party.ports | default dict) (last $names) | required (printf "%s: no such party and port" .cell) -}}
{{- end -}}
