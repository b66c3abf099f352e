package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;

/// Objects of Kubernetes, as they would be applied.
///
/// @param name where they come from
record Manifests(String name, List<JsonNode> objects) {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Duration LIMIT = Limits.time(Duration.ofSeconds(30));

  Manifests {
    objects = List.copyOf(objects);
  }

  /// The folder `deploy`.
  static Path deploy() {
    return Home.DIRECTORY.resolve("deploy");
  }

  /// What a kustomization amounts to; skipped, visibly, where neither `kustomize` nor `kubectl` is.
  static Manifests kustomize(Path directory) {
    var command = new ArrayList<String>();
    Optional<String> kustomize = Programs.find("kustomize");
    if (kustomize.isPresent()) {
      command.addAll(List.of(kustomize.get(), "build"));
    } else {
      command.addAll(List.of(Programs.require("kubectl"), "kustomize"));
    }
    command.add(directory.toString());
    return parse("kustomize " + directory.getFileName(), Programs.run(LIMIT, directory, command));
  }

  /// What the chart amounts to; skipped, visibly, where `helm` is not.
  ///
  /// @param values such as `gateway.enabled=true`
  static Manifests helm(String namespace, String... values) {
    String text = Programs.run(LIMIT, deploy(), helmCommand(namespace, values));
    // It tells on standard error which links it follows.
    return parse(
        "helm " + String.join(" ", values),
        text.lines()
            .filter(line -> !line.startsWith("walk.go:"))
            .reduce("", (all, line) -> all + line + "\n"));
  }

  /// The command of [#helm].
  static List<String> helmCommand(String namespace, String... values) {
    var command =
        new ArrayList<>(
            List.of(
                Programs.require("helm"),
                "template",
                "penstock",
                deploy().resolve("helm/penstock").toString(),
                "--namespace",
                namespace,
                "--kube-version",
                "1.34.0"));
    for (String value : values) {
      command.add("--set");
      command.add(value);
    }
    return command;
  }

  /// The objects of YAML documents.
  static Manifests parse(String name, String yaml) {
    var objects = new ArrayList<JsonNode>();
    for (Object document : new Yaml(new SafeConstructor(new LoaderOptions())).loadAll(yaml)) {
      if (document != null) {
        objects.add(JSON.valueToTree(document));
      }
    }
    assertThat(objects).as(name).isNotEmpty();
    return new Manifests(name, objects);
  }

  /// The objects of a file.
  static Manifests read(Path file) {
    try {
      return parse(file.getFileName().toString(), Files.readString(file));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// These and those.
  Manifests and(Manifests others) {
    return new Manifests(
        name + ", " + others.name,
        Stream.of(objects, others.objects).flatMap(List::stream).toList());
  }

  Stream<JsonNode> ofKind(String kind) {
    return objects.stream().filter(object -> object.path("kind").asText().equals(kind));
  }

  /// The one object of a kind and a name, to which a digest may be added.
  JsonNode object(String kind, String name) {
    List<JsonNode> found =
        ofKind(kind).filter(object -> plainName(nameOf(object)).equals(name)).toList();
    assertThat(found).as("%s %s in %s", kind, name, this.name).hasSize(1);
    return found.getFirst();
  }

  /// What starts pods: StatefulSets, Deployments and DaemonSets.
  Stream<JsonNode> workloads() {
    return objects.stream().filter(object -> object.path("spec").path("template").isObject());
  }

  /// The variables that a workload's first container has; what Kubernetes fills in is `$(…)`.
  Map<String, String> environment(JsonNode workload) {
    JsonNode container = container(workload);
    var environment = new LinkedHashMap<String, String>();
    for (JsonNode source : container.path("envFrom")) {
      object("ConfigMap", plainName(source.path("configMapRef").path("name").asText()))
          .path("data")
          .properties()
          .forEach(entry -> environment.put(entry.getKey(), entry.getValue().asText()));
    }
    for (JsonNode variable : container.path("env")) {
      environment.put(
          variable.path("name").asText(),
          variable.has("value")
              ? variable.path("value").asText()
              : "$("
                  + variable.path("valueFrom").path("fieldRef").path("fieldPath").asText()
                  + ")");
    }
    return environment;
  }

  /// The first container of a workload.
  static JsonNode container(JsonNode workload) {
    return pod(workload).path("containers").path(0);
  }

  /// The specification of a workload's pods.
  static JsonNode pod(JsonNode workload) {
    return workload.path("spec").path("template").path("spec");
  }

  static String nameOf(JsonNode object) {
    return object.path("metadata").path("name").asText();
  }

  /// A name without the digest of contents that Kustomize adds.
  static String plainName(String name) {
    return name.replaceFirst("-[bcdfghkmt24-9]{10}$", "");
  }

  /// The elements of a list.
  static Stream<JsonNode> each(JsonNode list) {
    return StreamSupport.stream(list.spliterator(), false);
  }

  /// Its elements as texts.
  static List<String> texts(JsonNode list) {
    return list instanceof MissingNode ? List.of() : each(list).map(JsonNode::asText).toList();
  }

  @Override
  public String toString() {
    return name;
  }
}
