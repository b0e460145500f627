{{/*
A value with its templates evaluated, as JSON. A string that is one template and ends in "toJson }}" stands for the value itself.
Evaluated string by string, so that nothing a site says can be read as structure.
*/}}
{{- define "evaluate" -}}
{{- $value := .value -}}
{{- $parts := list -}}
{{- if kindIs "map" $value -}}
{{- range $key := keys $value | sortAlpha -}}
{{- $parts = append $parts (printf "%s:%s" (toJson $key) (include "evaluate" (dict "value" (get $value $key) "context" $.context))) -}}
{{- end -}}
{{- printf "{%s}" (join "," $parts) -}}
{{- else if kindIs "slice" $value -}}
{{- range $item := $value -}}
{{- $parts = append $parts (include "evaluate" (dict "value" $item "context" $.context)) -}}
{{- end -}}
{{- printf "[%s]" (join "," $parts) -}}
{{- else if and (kindIs "string" $value) (contains "{{" (toString $value)) -}}
{{- $text := tpl $value .context -}}
{{- if regexMatch `^{{[^}]*toJson\s*-?}}$` $value }}{{ $text }}{{ else }}{{ toJson $text }}{{ end -}}
{{- else -}}
{{- toJson $value -}}
{{- end -}}
{{- end -}}

{{/* A YAML file of this chart, as JSON. */}}
{{- define "file" -}}
{{- $text := .context.Files.Get .path | required (printf "%s is not in the root chart: new_platform.yml writes it" .path) -}}
{{- $content := fromYaml $text -}}
{{- with $content.Error }}{{ fail (printf "%s: %s" $.path .) }}{{ end -}}
{{- toJson $content -}}
{{- end -}}
