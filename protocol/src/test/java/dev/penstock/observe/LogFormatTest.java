package dev.penstock.observe;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.penstock.config.Secret;
import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

/// Runs a small program in a JVM of its own, because `logback.xml` is read once per process.
final class LogFormatTest {
  @TempDir private Path folder;

  /// The program.
  static final class Program {
    private Program() {}

    public static void main(String[] arguments) {
      var log = LoggerFactory.getLogger("dev.penstock.Program");
      log.atInfo().addKeyValue("linkId", "l-1").log("Opened a link");
      log.atDebug().log("Looked closer");
      if (arguments.length > 0) {
        log.atError()
            .addKeyValue("detail", "one\ntwo")
            .addKeyValue("secret", Secret.of("marked"))
            .addKeyValue("bytes", 7L)
            .setCause(new IllegalStateException("broken"))
            .log("Failed");
      }
    }
  }

  @Test
  void byDefaultTheLogIsTextOnStandardError() throws Exception {
    assertThat(run())
        .singleElement()
        .asString()
        .matches("\\d{4}-\\d\\d-\\d\\dT[0-9:.]+\\S+ INFO  Program - Opened a link linkId=\"l-1\"");
  }

  @Test
  void theLevelIsASetting() throws Exception {
    assertThat(run("-DPENSTOCK_LOG_LEVEL=DEBUG")).hasSize(2);
    assertThat(run("-DPENSTOCK_LOG_LEVEL=ERROR")).isEmpty();
  }

  @Test
  void theLogMayBeJson() throws Exception {
    List<String> lines = run("-DPENSTOCK_LOG_FORMAT=json");
    assertThat(lines).hasSize(1);
    JsonNode event = new ObjectMapper().readTree(lines.getFirst());
    assertThat(event.get("level").textValue()).isEqualTo("INFO");
    assertThat(event.get("logger").textValue()).isEqualTo("dev.penstock.Program");
    assertThat(event.get("message").textValue()).isEqualTo("Opened a link");
    assertThat(event.get("linkId").textValue()).isEqualTo("l-1");
    assertThat(event.get("timestamp").textValue()).startsWith("20");
  }

  @Test
  void valuesAreTextsAndNumbersAndNeverWhatTheirTextWithholds() throws Exception {
    JsonNode event =
        new ObjectMapper().readTree(run(List.of("fail"), "-DPENSTOCK_LOG_FORMAT=json").get(1));
    assertThat(event.get("detail").textValue()).isEqualTo("one\ntwo");
    assertThat(event.get("bytes").longValue()).isEqualTo(7);
    assertThat(event.get("secret").isTextual()).isTrue();
    assertThat(event.toString()).doesNotContain("marked");
    assertThat(event.get("stackTrace").textValue()).contains("IllegalStateException: broken");
  }

  @Test
  void nobodyCanBeginALineOfTheLogWithAValue() throws Exception {
    List<String> lines = run(List.of("fail"));
    assertThat(lines.get(1)).contains("Failed detail=\"one?two\"").doesNotContain("marked");
    assertThat(lines.get(2)).isEqualTo("java.lang.IllegalStateException: broken");
  }

  /// The lines on standard error; standard output has to stay empty.
  private List<String> run(String... properties) throws Exception {
    return run(List.of(), properties);
  }

  private List<String> run(List<String> arguments, String... properties) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-XX:TieredStopAtLevel=1");
    command.addAll(List.of(properties));
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Program.class.getName()));
    command.addAll(arguments);
    File out = folder.resolve("out").toFile();
    File err = folder.resolve("err").toFile();
    var builder = new ProcessBuilder(command).redirectOutput(out).redirectError(err);
    builder.environment().keySet().removeIf(name -> name.startsWith("PENSTOCK_"));
    builder.environment().remove("JAVA_TOOL_OPTIONS");
    Process process = builder.start();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(out).isEmpty();
    return Files.readAllLines(err.toPath(), StandardCharsets.UTF_8);
  }
}
