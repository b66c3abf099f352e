package dev.penstock.agent.kubernetes.objects;

/// An address of a Gateway, wanted or given.
///
/// @param type `IPAddress`, `Hostname`, or a name of its controller's
/// @param value empty when any will do
public record GatewayAddress(String type, String value) {
  public static final String IP_ADDRESS = "IPAddress";
  public static final String HOSTNAME = "Hostname";

  static GatewayAddress of(Fields fields) throws Malformed {
    return new GatewayAddress(fields.optionalText("type").orElse(IP_ADDRESS), fields.text("value"));
  }
}
