namespace Myna.Fuzz;

/// <summary>Runs numbered programs in two ways and compares.</summary>
internal interface IComparison : IDisposable
{
    /// <summary>Instructions executed so far, on the reference.</summary>
    ulong Instructions { get; }

    /// <summary>Programs whose outcome proves nothing.</summary>
    ulong Undecided { get; }

    /// <summary>Runs the program with this number.</summary>
    /// <returns>A report of the difference, or null.</returns>
    string? Run(ulong seed);
}
