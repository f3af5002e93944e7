namespace Myna.Devices.Floppy;

/// <summary>Data rates as the controller's registers have them (82077AA data sheet, table 2-5).</summary>
public enum FloppyRate : byte { Kbps500 = 0, Kbps300 = 1, Kbps250 = 2, Mbps1 = 3 }

/// <summary>How a diskette with sectors of 512 bytes is formatted.</summary>
/// <param name="Rate">At which it is read in the drive that <paramref name="Drive"/> names.</param>
/// <param name="Drive">The kind of drive, as a PC's clock RAM names it: 1 360 KB, 2 1.2 MB, 4 1.44 MB, 5 2.88 MB.</param>
public sealed record FloppyGeometry(int Tracks, int Heads, int Sectors, FloppyRate Rate, byte Drive)
{
    /// <summary>Bytes of a sector.</summary>
    public const int SectorSize = 512;

    private static readonly FloppyGeometry[] s_formats =
    [
        new(80, 2, 18, FloppyRate.Kbps500, 4), new(80, 2, 36, FloppyRate.Mbps1, 5), new(80, 2, 9, FloppyRate.Kbps250, 4), new(80, 2, 15, FloppyRate.Kbps500, 2),
        new(40, 2, 9, FloppyRate.Kbps300, 2), new(80, 2, 21, FloppyRate.Kbps500, 4), new(82, 2, 21, FloppyRate.Kbps500, 4), new(40, 1, 8, FloppyRate.Kbps300, 2),
        new(40, 1, 9, FloppyRate.Kbps300, 2), new(40, 2, 8, FloppyRate.Kbps300, 2),
    ];

    /// <summary>Bytes of the diskette.</summary>
    public ulong Length => (ulong)(Tracks * Heads * Sectors * SectorSize);

    /// <summary>The sizes that there are, in bytes.</summary>
    public static IEnumerable<ulong> Lengths => s_formats.Select(f => f.Length).Order();

    /// <summary>The size of the smallest usual diskette (360 and 720 KB, 1.2, 1.44 and 2.88 MB) that holds an image; an image of a size that there is keeps it.</summary>
    /// <returns><paramref name="length"/> when there is none.</returns>
    public static ulong Capacity(ulong length)
    {
        if (Of(length) is not null)
            return length;
        foreach (ulong size in (ReadOnlySpan<ulong>)[360 << 10, 720 << 10, 1200 << 10, 1440 << 10, 2880 << 10])
        {
            if (length <= size)
                return size;
        }
        return length;
    }

    /// <summary>The format of a diskette of this size, or null when there is none.</summary>
    public static FloppyGeometry? Of(ulong length) => Array.Find(s_formats, f => f.Length == length);
}
