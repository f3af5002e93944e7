using Myna.Devices.Pci;
using Myna.Devices.Virtio;
using Myna.Devices.Virtio.Gpu;
using Myna.Devices.Virtio.Input;
using Myna.Devices.Virtio.Transport;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.Screens;

namespace Myna.Machines;

/// <summary>Display and input devices that boards of every architecture can have.</summary>
internal static class ScreenDevices
{
    /// <summary>virtio-gpu, and virtio-input as keyboard and tablet.</summary>
    /// <exception cref="MachineException">The bus is full.</exception>
    public static void AddVirtio(PciHost pci, AddressSpace memory, Log log, ICollection<IScreen> screens, ICollection<IKeyboard> keyboards, ICollection<IPointer> pointers)
    {
        var gpu = new VirtioGpu(memory, log: log[LogNames.VirtioGpu]);
        screens.Add(gpu);
        UserDevices.Plug(pci, new VirtioPci(gpu));
        AddInput(pci, memory, log, keyboards, pointers);
    }

    /// <summary>A keyboard and a tablet.</summary>
    public static void AddInput(PciHost pci, AddressSpace memory, Log log, ICollection<IKeyboard> keyboards, ICollection<IPointer> pointers)
    {
        var keyboard = new VirtioKeyboard(memory, log: log[LogNames.VirtioInput]);
        var tablet = new VirtioTablet(memory, log: log[LogNames.VirtioInput]);
        keyboards.Add(keyboard);
        pointers.Add(tablet);
        foreach (VirtioDevice device in new VirtioDevice[] { keyboard, tablet })
            UserDevices.Plug(pci, new VirtioPci(device));
    }
}
