using System.Globalization;
using Myna.Devices.Dma;
using Myna.Devices.Floppy;
using Myna.Devices.Timers;
using Myna.Hardware.Backends;

namespace Myna.Machines.X86;

/// <summary>The diskette drives of a PC.</summary>
internal static class FloppyDrives
{
    public const int Irq = 6, Ports = 0x3f0, DigitalInput = 0x3f7;

    private const int Most = 2;

    /// <summary>The controller with the user's drives; null where there are none, unless a board has it always.</summary>
    /// <param name="isaBridge">Firmware's name of the bridge to ISA.</param>
    /// <param name="paths">Firmware's names of devices, to which those of the drives are added.</param>
    /// <exception cref="MachineException">There are too many drives, or a diskette is none.</exception>
    public static FloppyController? Create(ChipsetWiring wiring, I8237 dma, Mc146818 clock, string isaBridge, bool always, IDictionary<DeviceOptions, string> paths)
    {
        FloppyDevice[] wanted = [.. wiring.Options.Devices.OfType<FloppyDevice>()];
        if (wanted.Length > Most)
            throw new MachineException($"a PC has {Most} diskette drives; leave out a --floppy");
        if (wanted.Length == 0 && !always)
            return null;
        var drives = new FloppyDrive[wanted.Length];
        for (int i = 0; i < wanted.Length; i++)
        {
            Check(wanted[i].Medium);
            drives[i] = new FloppyDrive(wanted[i].Medium);
            paths[wanted[i]] = string.Create(CultureInfo.InvariantCulture, $"/pci@i0cf8/{isaBridge}/fdc@03f0/floppy@{i}");
        }
        var controller = new FloppyController(dma, wiring.Gsi(Irq), drives);
        for (int i = 0; i < drives.Length; i++)
        {
            int drive = i;
            wiring.RemovableDrives.Add(new RemovableDrive(string.Create(CultureInfo.InvariantCulture, $"floppy{i}"), (medium, _) =>
            {
                Check(medium);
                return controller.ExchangeMedium(drive, medium);
            }) { Capacity = FloppyGeometry.Capacity });
        }
        // The clock's RAM: kinds of the drives; in the equipment byte that there are some, and how many beyond one.
        clock[0x10] = (byte)((drives.Length > 0 ? drives[0].Kind << 4 : 0) | (drives.Length > 1 ? drives[1].Kind : 0));
        clock[0x14] |= (byte)(drives.Length == 0 ? 0 : 1 | drives.Length - 1 << 6);
        return controller;
    }

    /// <exception cref="MachineException">No diskette has this size.</exception>
    private static void Check(IBlockBackend? medium)
    {
        if (medium is not null && FloppyGeometry.Of(medium.Length) is null)
            throw new MachineException($"a diskette holds {FloppyGeometry.Lengths.Max() >> 10} KiB at most; this image has {medium.Length} bytes");
    }
}
