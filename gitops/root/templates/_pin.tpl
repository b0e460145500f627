{{/* Which image is meant, as the inventory pins it under this name: its tag for people, its digest for machines. */}}
{{- define "pin" -}}
{{- $pin := get (.context.Values.pins | default dict) .name | toString -}}
{{- if not (regexMatch "^[A-Za-z0-9_][A-Za-z0-9_.-]*@sha256:[0-9a-f]{64}$" $pin) -}}
{{- fail (printf "pins.%s: say which image it is (argocd_root_values.pins), as <tag>@sha256:<hex>" .name) -}}
{{- end -}}
{{- $pin -}}
{{- end -}}
