using Myna.Hardware.Backends;

namespace Myna.Machines;

/// <summary>A drive whose medium the user may exchange while the machine runs.</summary>
public sealed class RemovableDrive : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Func<IBlockBackend?, bool, bool> _exchange;
    private IDisposable? _own;

    /// <param name="exchange">Gives the device a medium (or none), whatever the guest says if the second argument is true; false when the guest has locked the drive.</param>
    internal RemovableDrive(string name, Func<IBlockBackend?, bool, bool> exchange)
    {
        Name = name;
        _exchange = exchange;
    }

    /// <summary>As in "cd0".</summary>
    public string Name { get; }

    /// <summary>For a drive that writes: the size of the medium that holds an image (<see cref="Storage.DiskImage.Open"/>). Null for a drive that reads only.</summary>
    public Func<ulong, ulong>? Capacity { get; init; }

    /// <summary>Exchanges the medium; the guest is told. Any thread.</summary>
    /// <param name="medium">The new one, which the drive disposes when it goes, or null to take the present one out.</param>
    /// <param name="force">Even if the guest has locked the drive.</param>
    /// <returns>False when the guest has locked it: it is told that the user wants the medium, and the new one is not taken over.</returns>
    public bool Exchange(IBlockBackend? medium, bool force)
    {
        lock (_lock)
        {
            if (!_exchange(medium, force))
                return false;
            _own?.Dispose();
            _own = medium as IDisposable;
            return true;
        }
    }

    /// <summary>Lets go of a medium that came later than the machine.</summary>
    public void Dispose() => _own?.Dispose();
}
