package dev.penstock.agent.kubernetes.objects;

/// A port of a Service.
///
/// @param name empty when it has none; endpoint slices tell its target ports under this name
/// @param protocol as it is written: `TCP`, `UDP` or `SCTP`
public record ServicePort(String name, int port, String protocol) {
  static ServicePort of(Fields fields) throws Malformed {
    return new ServicePort(
        fields.text("name"), fields.port("port"), fields.optionalText("protocol").orElse("TCP"));
  }
}
