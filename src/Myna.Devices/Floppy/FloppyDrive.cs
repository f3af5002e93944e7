using Myna.Hardware.Backends;
using Myna.Hardware.State;

namespace Myna.Devices.Floppy;

/// <summary>A diskette drive: where its heads are, and what is in it. Not locked: its controller is.</summary>
[Stateful("floppy-drive")]
public sealed partial class FloppyDrive
{
    /// <summary>Where the heads cannot be moved beyond.</summary>
    private const int LastTrack = 84;

    [NotSaved("the user's affair: the machine is made with the same one")] private IBlockBackend? _medium;
    [NotSaved("of the medium")] private FloppyGeometry? _geometry;

    [Saved(1)] private byte _track;

    // The disk change line: set since the medium was exchanged, cleared by a step with one.
    [Saved(2)] private bool _changed = true;

    /// <param name="medium">The diskette, of one of <see cref="FloppyGeometry.Lengths"/>, or null for none.</param>
    public FloppyDrive(IBlockBackend? medium)
    {
        _medium = medium;
        _geometry = medium is null ? null : FloppyGeometry.Of(medium.Length);
        Kind = _geometry?.Drive ?? 4;
    }

    /// <summary>As in <see cref="FloppyGeometry.Drive"/>.</summary>
    [field: NotSaved("decided by its first medium")]
    public byte Kind { get; }

    internal IBlockBackend? Medium => _geometry is null ? null : _medium;

    internal FloppyGeometry? Geometry => _geometry;

    internal int Track => _track;

    internal bool Changed => _changed || Medium is null;

    internal bool WriteProtected => Medium is { ReadOnly: true };

    /// <summary>Moves the heads.</summary>
    /// <returns>Where they are then.</returns>
    internal int Seek(int track)
    {
        track = Math.Clamp(track, 0, LastTrack);
        if (track != _track && Medium is not null)
            _changed = false;
        _track = (byte)track;
        return track;
    }

    internal void Exchange(IBlockBackend? medium)
    {
        _medium = medium;
        _geometry = medium is null ? null : FloppyGeometry.Of(medium.Length);
        _changed = true;
    }

    internal void Reset()
    {
        _track = 0;
        _changed = true;
    }

    private void Sync() => _track = (byte)Math.Min((int)_track, LastTrack);
}
