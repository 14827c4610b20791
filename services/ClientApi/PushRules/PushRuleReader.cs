using System.Buffers;
using System.Text;
using System.Text.Json;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Web.Json;

namespace Matrix.ClientApi.PushRules;

/// <summary>Reads what clients send about push rules. Spec: openapi/client-server/pushrules.yaml</summary>
internal static class PushRuleReader
{
    private const int MaxConditions = 100;
    /// <summary>Synapse: of <c>global/KIND/ID</c>.</summary>
    private const int MaxNameBytes = 300;

    public static PushRuleKind Kind(string kind) => kind switch
    {
        "override" => PushRuleKind.Override,
        "underride" => PushRuleKind.Underride,
        "sender" => PushRuleKind.Sender,
        "room" => PushRuleKind.Room,
        "content" => PushRuleKind.Content,
        _ => throw MatrixError.Custom(400, "M_UNRECOGNIZED", $"Unrecognised kind of rule: {kind}").AsException(),
    };

    public static PushActions Actions(JsonElement body)
    {
        var actions = body.ArrayOrNull("actions") ?? throw MatrixError.MissingParam("Missing 'actions' parameter").AsException();
        foreach (var action in actions.EnumerateArray())
            if (action.ValueKind == JsonValueKind.String && action.GetString() is not ("notify" or "dont_notify" or "coalesce"))
                throw UnrecognisedAction();
        return PushActions.Parse(Encoding.UTF8.GetBytes(actions.GetRawText())) ?? throw UnrecognisedAction();

        // Synapse: M_UNKNOWN for what the schema allows and the text does not.
        static MatrixException UnrecognisedAction() => MatrixError.Unknown(400, "Unrecognised action").AsException();
    }

    /// <summary>The rule as a client wants it, enabled.</summary>
    public static PushRule Rule(PushRuleKind kind, string ruleId, JsonElement body)
    {
        if (ruleId.Length == 0 || ruleId.StartsWith('.') || ruleId.AsSpan().ContainsAny('/', '\\'))
            throw MatrixError.InvalidParam("A rule's id may not begin with a dot nor hold slashes").AsException();
        if (Encoding.UTF8.GetByteCount(ruleId) + "global//".Length + Name(kind).Length > MaxNameBytes)
            throw MatrixError.Unknown(413, $"The name of a push rule, with its scope and kind, has at most {MaxNameBytes} bytes").AsException();
        var actions = Actions(body);
        var buffer = new ArrayBufferWriter<byte>();
        using (var w = new Utf8JsonWriter(buffer, MatrixResults.WriterOptions))
        {
            w.WriteStartObject();
            w.WriteStartArray(Name(kind));
            w.WriteStartObject();
            w.WriteString("rule_id"u8, ruleId);
            w.WriteBoolean("enabled"u8, true);
            w.WritePropertyName("actions"u8);
            w.WriteRawValue(actions.Json.Span, skipInputValidation: true);
            switch (kind)
            {
                case PushRuleKind.Override or PushRuleKind.Underride: WriteConditions(w, body); break;
                case PushRuleKind.Content: w.WriteString("pattern"u8, body.StringOrNull("pattern") ?? throw MatrixError.Unknown(400, "Content rule missing 'pattern'").AsException()); break;
            }
            w.WriteEndObject();
            w.WriteEndArray();
            w.WriteEndObject();
        }
        return PushRuleSet.Parse(buffer.WrittenSpan)?.Find(kind, ruleId) ?? throw MatrixError.BadJson("The rule is not valid.").AsException();
    }

    /// <remarks>A rule without conditions always matches; Synapse wants the empty list.</remarks>
    private static void WriteConditions(Utf8JsonWriter w, JsonElement body)
    {
        if (body.ArrayOrNull("conditions") is not { } conditions) return;
        if (conditions.GetArrayLength() > MaxConditions) throw MatrixError.InvalidParam("Too many conditions").AsException();
        w.WriteStartArray("conditions"u8);
        foreach (var condition in conditions.EnumerateArray())
        {
            var canonical = new ArrayBufferWriter<byte>();
            if (CanonicalJson.TryWrite(Encoding.UTF8.GetBytes(condition.GetRawText()), canonical, strict: false) is not CanonicalJsonFault.None)
                throw MatrixError.BadJson("A condition is not valid.").AsException();
            if (PushCondition.Fault(canonical.WrittenSpan) is { } fault) throw MatrixError.BadJson(fault).AsException();
            w.WriteRawValue(canonical.WrittenSpan, skipInputValidation: true);
        }
        w.WriteEndArray();
    }

    public static string Name(PushRuleKind kind) => kind switch
    {
        PushRuleKind.Override => "override",
        PushRuleKind.Underride => "underride",
        PushRuleKind.Sender => "sender",
        PushRuleKind.Room => "room",
        _ => "content",
    };
}
