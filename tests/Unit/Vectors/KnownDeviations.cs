namespace Matrix.Unit.Vectors;

/// <summary>Every vector that is not taken as it stands, with the reason. A test fails when one of these starts to agree.</summary>
internal static class KnownDeviations
{
    /// <summary>
    /// auth-rules.json, auth_event_selection, index 2: an m.room.aliases event is said to need the create event alone. The selection
    /// algorithm (server-server-api/#auth-events-selection) has no such exception: power levels and the sender's member event are selected.
    /// </summary>
    public const int AliasesSelectionCase = 2;

    /// <summary>
    /// auth-rules.json, candidates that are said to be refused and are allowed by the rules, and by deployed servers:
    /// a join of the creator right after the create event, sent by somebody else (TestAllowedFirstJoin): rule "join" allows it before it
    /// compares sender and state key; a redaction of nothing, or of what is no event id, by a user with the redact level (TestRedactAllowed):
    /// rule 11.1 of versions 1 and 2 asks for the level alone.
    /// </summary>
    public static readonly string[] AllowedCandidates =
        ["The sender doesn't match the joining user", "Invalid redacts event ID", "Missing redacts event ID"];

    /// <summary>
    /// json-signature-verify.json, "base64 padding": the spec says that decoders should accept padding (appendices#unpadded-base64), so the
    /// signature is valid here.
    /// </summary>
    public const string PaddedSignatureReason = "the signature has base64 padding that it shouldn't have";

    /// <summary>
    /// identifiers.json, user_id_invalid: the ampersand is outside the grammar of new user ids, but historical ids, which servers must accept in
    /// events (appendices#historical-user-ids), may hold any printable character.
    /// </summary>
    public const string HistoricalUserId = "@local&part:domain";

    /// <summary>
    /// identifiers.json, room_id_invalid: room ids are opaque (appendices#room-ids), and since version 12 they need no domain; what an older
    /// room's id must look like is a matter of its create event's authorisation.
    /// </summary>
    public static readonly string[] OpaqueRoomIds = ["!localpart:domain/", "!:domain", "!localpart:"];
}
