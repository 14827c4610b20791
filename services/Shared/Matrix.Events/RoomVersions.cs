namespace Matrix.Events;

/// <summary>The table of room versions.</summary>
public static class RoomVersions
{
    /// <summary>The version of new rooms when neither client nor configuration says otherwise.</summary>
    public const string DefaultId = "12";
    /// <summary>All versions that can be used, oldest first.</summary>
    public static IReadOnlyList<RoomVersion> All => throw new NotImplementedException();
    /// <summary>Null when the version is not known.</summary>
    public static RoomVersion? Find(string id) => throw new NotImplementedException();
}
