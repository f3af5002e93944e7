namespace Myna.Hardware.State;

/// <summary>
/// Marks a partial class whose state is saved. The generator writes its <see cref="IStateful"/> members from the fields
/// marked <see cref="SavedAttribute"/>, and an unmarked mutable field is a compile error (MYNA001).
/// The class supplies <c>void Sync()</c>, which derives everything that is not saved (interrupt levels, timers, caches)
/// and is called at the end of a load.
/// </summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class StatefulAttribute(string name, int version = 1) : Attribute
{
    /// <summary>The kind of the device or CPU in the saved stream; never changed.</summary>
    public string Name { get; } = name;

    public int Version { get; } = version;
}

/// <summary>
/// A field that belongs to the saved state. Types: integers, bool, enums, float, double, string, unmanaged structs, arrays
/// of unmanaged types, <see cref="IStateful"/> objects and arrays of them.
/// </summary>
[AttributeUsage(AttributeTargets.Field)]
public sealed class SavedAttribute(int tag) : Attribute
{
    /// <summary>1 to 65535, unique in its class and never reused.</summary>
    public int Tag { get; } = tag;
}

/// <summary>A field that is deliberately not part of the saved state, and why.</summary>
[AttributeUsage(AttributeTargets.Field)]
public sealed class NotSavedAttribute(string reason) : Attribute
{
    public string Reason { get; } = reason;
}

/// <summary>Something with saved state. Implemented by the generator for classes marked <see cref="StatefulAttribute"/>.</summary>
public interface IStateful
{
    string StateName { get; }
    int StateVersion { get; }

    /// <summary>Writes every saved field. The machine is paused.</summary>
    void SaveState(StateWriter writer);

    /// <summary>Reads every saved field, then derives the rest. The machine is paused.</summary>
    /// <exception cref="StateException">The stream does not hold this kind of state, is damaged or is newer.</exception>
    void LoadState(StateReader reader);
}

/// <summary>A saved state that cannot be loaded; the message is for the user.</summary>
public sealed class StateException(string message) : Exception(message);
