// Writes the schemas that DeploymentTest holds the manifests against: of the kinds that are used, what
// Kubernetes, the Gateway API, the Prometheus Operator and cert-manager publish, without descriptions.
//
//	cd testkit/src/test/go/manifest-schemas && go run . > ../../resources/manifest-schemas.json
//
// The sources are Go modules, all of them under the Apache License 2.0; Go's own client fetches them.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

const (
	kubernetes  = "k8s.io/kubernetes@v1.34.2"
	gatewayAPI  = "sigs.k8s.io/gateway-api@v1.6.1"
	prometheus  = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
	certManager = "github.com/cert-manager/cert-manager@v1.19.1"
)

var builtIn = []string{
	"/v1 Namespace", "/v1 ServiceAccount", "/v1 ConfigMap", "/v1 Secret", "/v1 Service",
	"apps/v1 StatefulSet", "apps/v1 Deployment", "apps/v1 DaemonSet", "policy/v1 PodDisruptionBudget",
	"networking.k8s.io/v1 NetworkPolicy", "rbac.authorization.k8s.io/v1 Role", "rbac.authorization.k8s.io/v1 RoleBinding",
	"rbac.authorization.k8s.io/v1 ClusterRole", "rbac.authorization.k8s.io/v1 ClusterRoleBinding",
	"apiextensions.k8s.io/v1 CustomResourceDefinition",
}

var custom = map[string][]string{
	gatewayAPI: {
		"config/crd/standard/gateway.networking.k8s.io_gatewayclasses.yaml",
		"config/crd/standard/gateway.networking.k8s.io_gateways.yaml",
		"config/crd/standard/gateway.networking.k8s.io_tcproutes.yaml",
		"config/crd/standard/gateway.networking.k8s.io_udproutes.yaml",
		"config/crd/standard/gateway.networking.k8s.io_referencegrants.yaml",
	},
	prometheus:  {"example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml"},
	certManager: {"deploy/crds/cert-manager.io_certificates.yaml", "deploy/crds/cert-manager.io_issuers.yaml"},
}

type object = map[string]any

func main() {
	log.SetFlags(0)
	definitions := swagger()
	kinds := object{}
	used := object{}
	for _, kind := range builtIn {
		name := find(definitions, kind)
		kinds[kind] = object{"$ref": "#/definitions/" + name}
		collect(definitions, name, used)
	}
	for module, files := range custom {
		folder := download(module)
		for _, file := range files {
			for kind, schema := range crd(filepath.Join(folder, file)) {
				kinds[kind] = schema
			}
		}
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	check(out.Encode(object{
		"sources":     []string{kubernetes, gatewayAPI, prometheus, certManager},
		"licence":     "Apache-2.0",
		"kinds":       kinds,
		"definitions": used,
	}))
}

func swagger() object {
	var document object
	read(filepath.Join(download(kubernetes), "api/openapi-spec/swagger.json"), &document)
	return document["definitions"].(object)
}

// The definition of a kind such as "apps/v1 Deployment".
func find(definitions object, kind string) string {
	for name, definition := range definitions {
		marks, _ := definition.(object)["x-kubernetes-group-version-kind"].([]any)
		for _, mark := range marks {
			it := mark.(object)
			if fmt.Sprintf("%s/%s %s", it["group"], it["version"], it["kind"]) == kind && len(marks) == 1 {
				return name
			}
		}
	}
	log.Fatalf("%s: no definition", kind)
	return ""
}

func collect(definitions object, name string, used object) {
	if _, known := used[name]; known {
		return
	}
	definition := plain(definitions[name])
	used[name] = definition
	for _, other := range references(definition) {
		collect(definitions, strings.TrimPrefix(other, "#/definitions/"), used)
	}
}

func references(node any) []string {
	var found []string
	switch it := node.(type) {
	case object:
		if ref, is := it["$ref"].(string); is {
			found = append(found, ref)
		}
		for _, below := range it {
			found = append(found, references(below)...)
		}
	case []any:
		for _, below := range it {
			found = append(found, references(below)...)
		}
	}
	return found
}

// A schema without what is said about it. A property may have any name, so names are not looked at.
func plain(schema any) any {
	it, is := schema.(object)
	if !is {
		return schema
	}
	out := object{}
	for key, value := range it {
		switch {
		case key == "description" || key == "title" || key == "example" || key == "externalDocs":
		case strings.HasPrefix(key, "x-kubernetes-") && key != "x-kubernetes-int-or-string" &&
			key != "x-kubernetes-preserve-unknown-fields":
		case key == "properties":
			properties := object{}
			for name, property := range value.(object) {
				properties[name] = plain(property)
			}
			out[key] = properties
		case key == "items" || key == "additionalProperties" || key == "not":
			out[key] = plain(value)
		case key == "allOf" || key == "anyOf" || key == "oneOf":
			var all []any
			for _, one := range value.([]any) {
				all = append(all, plain(one))
			}
			out[key] = all
		default:
			out[key] = value
		}
	}
	return out
}

// The schemas of the served versions in a file with a CustomResourceDefinition.
func crd(file string) object {
	var document object
	read(file, &document)
	spec := document["spec"].(object)
	found := object{}
	for _, one := range spec["versions"].([]any) {
		version := one.(object)
		if served, _ := version["served"].(bool); served {
			kind := fmt.Sprintf("%s/%s %s", spec["group"], version["name"], spec["names"].(object)["kind"])
			found[kind] = plain(version["schema"].(object)["openAPIV3Schema"])
		}
	}
	return found
}

func download(module string) string {
	command := exec.Command("go", "mod", "download", "-json", module)
	command.Stderr = os.Stderr
	text, err := command.Output()
	check(err)
	var answer struct{ Dir string }
	check(json.Unmarshal(text, &answer))
	return answer.Dir
}

func read(file string, into *object) {
	text, err := os.ReadFile(file)
	check(err)
	check(yaml.Unmarshal(text, into))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
