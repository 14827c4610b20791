using System.Text.Json;
using Matrix.EventPersister.Sending;
using Matrix.Primitives;
using Matrix.Storage.Profiles;
using Matrix.Web.Json;

namespace Matrix.EventPersister.Profiles;

/// <summary>Names, limits and storage of profile fields. Spec: client-server-api/#profiles</summary>
internal static class ProfileFields
{
    public const string DisplayName = "displayname";
    public const string AvatarUrl = "avatar_url";
    public const string TimeZone = "m.tz";

    /// <summary>Synapse: characters of a display name and of an avatar's URL.</summary>
    private const int MaxDisplayName = 256, MaxAvatarUrl = 1_000;
    /// <summary>Spec: bytes of a field's name, and of the whole profile.</summary>
    private const int MaxKeyBytes = 255, MaxProfileBytes = 65_536;

    /// <summary>Spec: appendices#common-namespaced-identifier-grammar</summary>
    public static void CheckKey(string key)
    {
        if (System.Text.Encoding.UTF8.GetByteCount(key) > MaxKeyBytes)
            throw MatrixError.Custom(400, "M_KEY_TOO_LARGE", "The name of a profile field has at most 255 bytes").AsException();
        var good = key.Length > 0 && char.IsAsciiLetterLower(key[0]);
        foreach (var c in key) good &= char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '_' or '.';
        if (!good) throw MatrixError.InvalidParam("Invalid profile key.").AsException();
    }

    /// <summary>The profile with that field set.</summary>
    public static Profile With(Profile profile, string key, JsonElement value)
    {
        var changed = key switch
        {
            DisplayName => profile with { DisplayName = Text(value, key, MaxDisplayName) },
            AvatarUrl => profile with { AvatarUrl = Text(value, key, MaxAvatarUrl) },
            TimeZone when value.ValueKind != JsonValueKind.String => throw MatrixError.BadJson("'m.tz' must be a string").AsException(),
            _ => profile with { Fields = Set(profile.Fields, key, value) },
        };
        return Size(changed) <= MaxProfileBytes
            ? changed : throw MatrixError.Custom(400, "M_PROFILE_TOO_LARGE", "A profile has at most 64 KiB").AsException();
    }

    public static Profile Without(Profile profile, string key) => key switch
    {
        DisplayName => profile with { DisplayName = null },
        AvatarUrl => profile with { AvatarUrl = null },
        _ => profile with { Fields = profile.Fields is null ? null : Set(profile.Fields, key, null) },
    };

    /// <summary>Raw JSON of a field; null: not set.</summary>
    public static byte[]? Value(Profile profile, string key)
    {
        if (key is DisplayName or AvatarUrl)
        {
            var text = key == DisplayName ? profile.DisplayName : profile.AvatarUrl;
            return text is null ? null : Json(text);
        }
        return profile.Fields is { } fields && new CanonicalObject(fields).TryGet(Utf8(key), out var value) ? value.ToArray() : null;
    }

    public static void WriteAll(Utf8JsonWriter writer, Profile profile)
    {
        if (profile.AvatarUrl is { } avatar) writer.WriteString(AvatarUrl, avatar);
        if (profile.DisplayName is { } name) writer.WriteString(DisplayName, name);
        if (profile.Fields is not { } fields) return;
        foreach (var member in new CanonicalObject(fields))
        {
            writer.WritePropertyName(member.Name);
            writer.WriteRawValue(member.Value, skipInputValidation: true);
        }
    }

    /// <summary>Empty text takes the field away, as it always has.</summary>
    private static string? Text(JsonElement value, string key, int limit)
    {
        if (value.ValueKind == JsonValueKind.Null) return null;
        if (value.ValueKind != JsonValueKind.String) throw MatrixError.BadJson($"'{key}' must be a string").AsException();
        var text = value.GetString()!;
        if (text.Length > limit && text.EnumerateRunes().Count() > limit) throw MatrixError.InvalidParam($"'{key}' is too long (max {limit})").AsException();
        return text.Length == 0 ? null : text;
    }

    /// <summary>Canonical object with the member set, or removed when <paramref name="value"/> is null; null when nothing is left.</summary>
    private static byte[]? Set(byte[]? fields, string key, JsonElement? value)
    {
        var name = Utf8(key);
        var any = value is not null;
        var json = EventContent.Write(w =>
        {
            foreach (var member in new CanonicalObject(fields ?? "{}"u8))
            {
                if (member.Name.SequenceEqual(name)) continue;
                w.WritePropertyName(member.Name);
                w.WriteRawValue(member.Value, skipInputValidation: true);
                any = true;
            }
            if (value is not { } set) return;
            w.WritePropertyName(key);
            set.WriteTo(w);
        });
        if (!any) return null;
        return CanonicalJson.ToArray(json, out var fault, strict: false)
            ?? throw MatrixError.BadJson($"The field is not canonical JSON: {CanonicalJson.Describe(fault)}.").AsException();
    }

    private static long Size(Profile p) =>
        (p.DisplayName is null ? 0 : Json(p.DisplayName).Length + 16) + (p.AvatarUrl is null ? 0 : Json(p.AvatarUrl).Length + 16) + (p.Fields?.Length ?? 0) + 2;

    private static byte[] Utf8(string text) => System.Text.Encoding.UTF8.GetBytes(text);

    private static byte[] Json(string text)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>(text.Length + 2);
        CanonicalJson.WriteString(buffer, text);
        return buffer.WrittenSpan.ToArray();
    }
}
