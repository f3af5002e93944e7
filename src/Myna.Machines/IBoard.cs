using Myna.Cpu;
using Myna.Hardware.Memory;
using Myna.Hardware.Screens;
using Myna.Hardware.State;

namespace Myna.Machines;

/// <summary>A board with its CPUs, memory, devices and images: everything of a machine but its life.</summary>
internal interface IBoard : IDisposable
{
    /// <summary>Physical memory as the CPUs see it.</summary>
    AddressSpace Memory { get; }

    /// <summary>The space of I/O ports, of architectures that have one.</summary>
    AddressSpace? Ports { get; }

    IReadOnlyList<VirtualCpu> Cpus { get; }

    /// <summary>All devices with saved state, in the order in which they are saved.</summary>
    IReadOnlyList<BoardDevice> Devices { get; }

    /// <summary>Symbols of the kernel, if it is an ELF file: addresses by name.</summary>
    IReadOnlyDictionary<string, ulong> Symbols { get; }

    /// <summary>Drives whose medium the user may exchange.</summary>
    IReadOnlyList<RemovableDrive> RemovableDrives => [];

    /// <summary>USB devices, which may come and go; null without a controller.</summary>
    UsbPorts? Usb => null;

    /// <summary>What the user can look at; the last active one is preferred. Likewise keyboards and pointers.</summary>
    IReadOnlyList<IScreen> Screens => [];
    IReadOnlyList<IKeyboard> Keyboards => [];
    IReadOnlyList<IPointer> Pointers => [];

    /// <summary>Power-on state of everything, with the images loaded. The CPUs stand still.</summary>
    /// <exception cref="MachineException">An image cannot be read any more.</exception>
    void PowerOn();

    /// <summary>The CPUs stand still: what somebody else executes or holds for them comes back.</summary>
    void Stand()
    {
    }

    /// <summary>Hands what the guest has written to its consoles to the host.</summary>
    void FlushConsole();

    /// <summary>The user presses the power button: the guest is asked to switch itself off. Any thread.</summary>
    /// <returns>Whether the board has one.</returns>
    bool PressPowerButton() => false;

    /// <inheritdoc cref="Machine.EngineNote"/>
    string EngineNote => "";

    /// <summary>Everything with saved state, in the order of the stream: CPUs, then devices.</summary>
    IEnumerable<IStateful> Stateful => Cpus.Cast<IStateful>().Concat(Devices.Select(d => d.State));

    /// <summary>Returns when no device has work under way on another thread.</summary>
    void Drain()
    {
        foreach (BoardDevice device in Devices)
            (device.State as IDrainable)?.Drain();
    }
}
