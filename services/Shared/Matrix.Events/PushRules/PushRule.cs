using System.Buffers;
using System.Collections.Immutable;
using Matrix.Primitives;

namespace Matrix.Events;

/// <summary>Kinds of push rules, in the order in which they are tried. Spec: client-server-api/#push-rules</summary>
public enum PushRuleKind { Override, Content, Room, Sender, Underride }

/// <summary>A push rule. Immutable. Spec: openapi/client-server/definitions/push_rule.yaml</summary>
public sealed class PushRule
{
    /// <summary>Stands for the user id in the default rules, so that all users share them.</summary>
    internal const string UserPlaceholder = "[the user's Matrix ID]";

    public required string RuleId { get; init; }
    /// <summary>Whether the server brought the rule (its id starts with a dot).</summary>
    public required bool IsDefault { get; init; }
    public required bool Enabled { get; init; }
    public required PushActions Actions { get; init; }
    /// <summary>Override and underride rules: all must hold.</summary>
    public ImmutableArray<PushCondition> Conditions { get; init; } = [];
    /// <summary>Content rules: a glob over words of the body.</summary>
    public string? Pattern { get; init; }

    public PushRule With(bool enabled) => Copy(enabled, Actions);
    public PushRule With(PushActions actions) => Copy(Enabled, actions);

    private PushRule Copy(bool enabled, PushActions actions) => new()
    {
        RuleId = RuleId, IsDefault = IsDefault, Enabled = enabled, Actions = actions, Conditions = Conditions, Pattern = Pattern,
    };

    /// <summary>Writes the rule as clients see it.</summary>
    public void Write(IBufferWriter<byte> output, PushRuleKind kind, string userId)
    {
        var json = new MemberWriter(output);
        json.Raw("actions"u8, Actions.Json.Span);
        if (kind is PushRuleKind.Override or PushRuleKind.Underride)
        {
            json.Name("conditions"u8);
            output.Write("["u8);
            for (var i = 0; i < Conditions.Length; i++)
            {
                if (i > 0) output.Write(","u8);
                Conditions[i].Write(output, userId);
            }
            output.Write("]"u8);
        }
        json.Raw("default"u8, IsDefault ? "true"u8 : "false"u8);
        json.Raw("enabled"u8, Enabled ? "true"u8 : "false"u8);
        if (Pattern is not null) json.String("pattern"u8, Pattern);
        json.String("rule_id"u8, RuleId);
        json.End();
    }

    /// <summary>Reads a rule of canonical JSON; null when it has no id.</summary>
    internal static PushRule? Read(ReadOnlySpan<byte> json)
    {
        var rule = new CanonicalObject(json);
        if (rule.GetString("rule_id"u8) is not { } id) return null;
        var conditions = ImmutableArray.CreateBuilder<PushCondition>();
        if (rule.TryGet("conditions"u8, out var list))
        {
            foreach (var condition in new CanonicalArray(list)) conditions.Add(PushCondition.Read(condition));
        }
        return new PushRule
        {
            RuleId = id,
            IsDefault = id.StartsWith('.'),
            Enabled = !rule.TryGet("enabled"u8, out var enabled) || !enabled.SequenceEqual("false"u8),
            Actions = PushActions.Read(rule.TryGet("actions"u8, out var actions) ? actions : "[]"u8),
            Conditions = conditions.DrainToImmutable(),
            Pattern = rule.GetString("pattern"u8),
        };
    }
}

/// <summary>What a matching rule does. Spec: client-server-api/#actions</summary>
public sealed class PushActions
{
    public static PushActions None { get; } = Read("[]"u8);

    /// <summary>The list as canonical JSON, historical actions included: whoever set them gets them back, though they do nothing.</summary>
    public required ReadOnlyMemory<byte> Json { get; init; }
    public required bool Notify { get; init; }
    public required bool Highlight { get; init; }
    /// <summary>Null: no sound.</summary>
    public required string? Sound { get; init; }

    /// <summary>Reads a list from any JSON; null when it is no array, or an action is neither a string nor an object with set_tweak.</summary>
    public static PushActions? Parse(ReadOnlySpan<byte> json)
    {
        if (CanonicalJson.ToArray(json, out _, strict: false) is not { } canonical || !CanonicalValue.IsArray(canonical)) return null;
        foreach (var action in new CanonicalArray(canonical))
        {
            if (!CanonicalValue.IsString(action) && new CanonicalObject(action).GetString("set_tweak"u8) is null) return null;
        }
        return Read(canonical);
    }

    internal static PushActions Read(ReadOnlySpan<byte> canonical)
    {
        using var buffer = new PooledBuffer(canonical.Length + 2);
        bool notify = false, highlight = false, any = false;
        string? sound = null;
        foreach (var action in new CanonicalArray(canonical))
        {
            buffer.Write(any ? ","u8 : "["u8);
            buffer.Write(action);
            any = true;
            notify |= action.SequenceEqual("\"notify\""u8);
            var tweak = new CanonicalObject(action);
            switch (tweak.GetString("set_tweak"u8))
            {
                case "highlight":
                    highlight = !tweak.TryGet("value"u8, out var value) || !value.SequenceEqual("false"u8);
                    break;
                case "sound":
                    sound = tweak.GetString("value"u8);
                    break;
            }
        }
        buffer.Write(any ? "]"u8 : "[]"u8);
        return new PushActions { Json = buffer.Written.ToArray(), Notify = notify, Highlight = highlight, Sound = sound };
    }
}
