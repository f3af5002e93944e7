using Myna.Devices.Power;
using Myna.Hardware.Memory;

namespace Myna.Machines.Loading;

/// <summary>Puts images into guest memory.</summary>
internal static class SegmentLoader
{
    private const ulong Megabyte = 1 << 20;

    /// <summary>Copies a segment from its file and clears what follows up to its size. All of it must be RAM.</summary>
    /// <exception cref="MachineException">The file cannot be read any more.</exception>
    public static void Load(AddressSpace memory, Segment segment)
    {
        long offset = segment.Offset;
        ForEachRun(memory, segment.Address, segment.FileSize, (ram, at, run) =>
        {
            segment.Source.Read(offset, ram.GetForWrite(at, run));
            offset += run;
        });
        ulong start = segment.Address + segment.FileSize;
        ForEachRun(memory, start, segment.End - start, Clear);
    }

    /// <summary>Whole pages are given back to the host: they read as zeroes and cost nothing until the guest uses them.</summary>
    private static void Clear(Ram ram, ulong offset, int length)
    {
        ulong end = offset + (ulong)length, first = (offset + Ram.PageSize - 1) / Ram.PageSize * Ram.PageSize, last = end / Ram.PageSize * Ram.PageSize;
        if (last <= first)
        {
            ram.GetForWrite(offset, length).Clear();
            return;
        }
        ram.GetForWrite(offset, (int)(first - offset)).Clear();
        ram.Discard(first, last - first);
        ram.GetForWrite(last, (int)(end - last)).Clear();
    }

    /// <summary>Splits a range of RAM into runs that lie in one region and are no longer than a megabyte.</summary>
    private static void ForEachRun(AddressSpace memory, ulong address, ulong length, Action<Ram, ulong, int> action)
    {
        while (length != 0)
        {
            Region region = memory.Find(address)!;
            int run = (int)Math.Min(Math.Min(length, Megabyte), region.Last - address + 1);
            // HTIF's pages are a device on the bus and RAM underneath.
            (Ram ram, ulong offset) = region.Device is Htif htif
                ? (htif.Ram, htif.RamOffset + (address - region.Start))
                : (region.Ram!, region.RamOffset + (address - region.Start));
            action(ram, offset, run);
            address += (ulong)run;
            length -= (ulong)run;
        }
    }
}
