package dev.penstock.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LogVariablesTest {
  @Test
  void unsetVariablesAreNoProblem() {
    assertThat(LogVariables.problems(Map.of())).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({"text, INFO", "json, debug", "text, Off"})
  void whatTheLogKnowsIsNoProblem(String format, String level) {
    assertThat(
            LogVariables.problems(
                Map.of("PENSTOCK_LOG_FORMAT", format, "PENSTOCK_LOG_LEVEL", level)))
        .isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "xml", "JSON", "../json"})
  void aFormatThatTheLogDoesNotKnowIsTold(String format) {
    assertThat(LogVariables.problems(Map.of("PENSTOCK_LOG_FORMAT", format)))
        .containsExactly(
            "PENSTOCK_LOG_FORMAT: found \""
                + format
                + "\" (expected: text or json, or the variable unset)");
  }

  @Test
  void aLevelThatTheLogDoesNotKnowIsTold() {
    assertThat(LogVariables.problems(Map.of("PENSTOCK_LOG_LEVEL", "loud")))
        .containsExactly(
            "PENSTOCK_LOG_LEVEL: found \"loud\" (expected: TRACE or DEBUG or INFO or WARN or ERROR or"
                + " OFF, or the variable unset)");
  }
}
