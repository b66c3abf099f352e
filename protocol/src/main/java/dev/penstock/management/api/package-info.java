/// The API of the management port, the same for gateway and agent: what its OpenAPI document
/// describes is served from tables of rows. A node gives the rows and does the actions.
@NullMarked
package dev.penstock.management.api;

import org.jspecify.annotations.NullMarked;
