package dev.penstock.testkit.config;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.agent.settings.AgentSettings;
import dev.penstock.config.Reference;
import dev.penstock.gateway.GatewaySettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The tables of `docs/configuration.md` are what the code says.
class ConfigurationReferenceTest {
  private static final Path PAGE = Path.of("..", "docs", "configuration.md");

  @ParameterizedTest
  @ValueSource(strings = {"gateway", "agent"})
  void thePageHasTheTableThatTheCodeMakes(String role) throws IOException {
    String table = role.equals("gateway") ? GatewaySettings.reference() : AgentSettings.reference();
    String page = Files.readString(PAGE);
    assertThat(page)
        .as("to mend it: ./penstock config reference " + role + " --into docs/configuration.md")
        .isEqualTo(Reference.intoPage(page, role, table));
  }
}
