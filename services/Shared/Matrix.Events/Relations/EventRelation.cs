using System.Text;
using Matrix.Primitives;

namespace Matrix.Events;

/// <summary>Relation types that this server knows. Spec: client-server-api/#relationship-types</summary>
public static class RelationTypes
{
    public const string Replace = "m.replace";
    public const string Reference = "m.reference";
    public const string Annotation = "m.annotation";
    public const string Thread = "m.thread";
}

/// <summary>What <c>m.relates_to</c> in an event's content says. Rich replies are no relation. Spec: client-server-api/#forming-relationships-between-events</summary>
/// <param name="Key">Of an annotation; null: none.</param>
public readonly record struct EventRelation(string RelType, string ParentId, string? Key)
{
    /// <summary>Longest relation type, parent id and key that count, in bytes. Synapse has no limit for keys; indexes have.</summary>
    private const int MaxBytes = 255;
    private const int MaxKeyBytes = 1024;

    /// <summary>Its parent is shown with what such children come to. Spec: client-server-api/#aggregations-of-child-events</summary>
    public bool IsAggregated => RelType is RelationTypes.Replace or RelationTypes.Reference or RelationTypes.Thread;

    /// <summary>Null: none, or one that does not match the schema.</summary>
    public static EventRelation? Read(Pdu e) => OfContent(e.Content.Span);

    /// <summary>As <see cref="Read"/>, of canonical JSON.</summary>
    public static EventRelation? OfContent(ReadOnlySpan<byte> content)
    {
        if (!new CanonicalObject(content).TryGet("m.relates_to"u8, out var relates) || !CanonicalValue.IsObject(relates)) return null;
        var o = new CanonicalObject(relates);
        if (o.GetString("rel_type"u8) is not { Length: > 0 } relType || o.GetString("event_id"u8) is not { Length: > 1 } parent || parent[0] != '$') return null;
        if (Encoding.UTF8.GetByteCount(relType) > MaxBytes || Encoding.UTF8.GetByteCount(parent) > MaxBytes || (relType + parent).Contains('\0')) return null;
        var key = relType == RelationTypes.Annotation ? o.GetString("key"u8) : null;
        if (key is not null && (Encoding.UTF8.GetByteCount(key) > MaxKeyBytes || key.Contains('\0'))) key = null;
        return new EventRelation(relType, parent, key);
    }

    /// <summary>Whether an event with an m.replace relation may replace anything at all. Spec: client-server-api/#validity-of-replacement-events</summary>
    public static bool CanReplace(Pdu e) =>
        e.StateKey is null && (e.Type == EventTypes.Encrypted || CanonicalValue.IsObject(e.ContentValue("m.new_content"u8)));
}
