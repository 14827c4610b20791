namespace Matrix.Rooms;

/// <summary>How a user sees an event.</summary>
public enum Sight
{
    Hidden,
    /// <summary>In its redacted form: whoever sent it was erased.</summary>
    Pruned,
    Whole,
}
