using System.Security.Cryptography;
using System.Text.Json;
using Matrix.Primitives;
using Matrix.Web.Json;

namespace Matrix.ClientApi.Account;

internal static class DeviceIds
{
    /// <summary>Characters; also of display names that come with a login.</summary>
    private const int MaxLength = 512;

    public static string New() => RandomNumberGenerator.GetString("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 10);

    /// <summary><c>device_id</c> of a login or registration; a new one when there is none.</summary>
    public static string Of(JsonElement body)
    {
        var id = body.StringOrNull("device_id");
        if (string.IsNullOrEmpty(id)) return New();
        return id.Length <= MaxLength ? id : throw MatrixError.InvalidParam("device_id cannot be longer than 512 characters.").AsException();
    }

    /// <summary>An id that a device can have.</summary>
    public static void Require(string id)
    {
        if (id.Length is 0 or > MaxLength || id.Contains('\0')) throw MatrixError.InvalidParam("That is no device id.").AsException();
    }

    public static string? DisplayNameOf(JsonElement body)
    {
        var name = body.StringOrNull("initial_device_display_name");
        return name is null || name.Length <= MaxLength
            ? name : throw MatrixError.InvalidParam("initial_device_display_name cannot be longer than 512 characters.").AsException();
    }
}
