using System.Globalization;
using Myna.Devices.Pci;
using Myna.Devices.Usb;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.Screens;
using Myna.Hardware.Time;

namespace Myna.Machines;

/// <summary>The user's USB devices, their xHCI controller, and where firmware finds those that it can boot from.</summary>
internal static class UsbDevices
{
    /// <summary>What the board has for the devices.</summary>
    /// <param name="Paths">Firmware's names of devices, to which those of drives are added; null where no firmware asks for them.</param>
    /// <param name="Drives">Drives whose medium the user may exchange.</param>
    internal sealed record Sinks(ICollection<IKeyboard> Keyboards, ICollection<IPointer> Pointers, ICollection<RemovableDrive> Drives, IDictionary<DeviceOptions, string>? Paths = null);

    public static bool IsUsb(DeviceOptions wanted) => wanted is UsbDeviceOptions or DiskDevice { Interface: DiskInterface.Usb } or CdromDevice { Interface: DiskInterface.Usb };

    /// <summary>Plugs a controller with the user's devices, if there are any. What is named after a hub is behind it.</summary>
    /// <exception cref="MachineException">There are too many.</exception>
    public static UsbPorts? Add(PciHost pci, AddressSpace memory, Clock clock, MachineOptions options, Sinks sinks)
    {
        if (!options.Devices.Any(IsUsb))
            return null;
        var controller = new Xhci(memory, clock, options.Log[LogNames.Xhci]);
        UserDevices.Plug(pci, controller);
        string root = string.Create(CultureInfo.InvariantCulture, $"/pci@i0cf8/usb@{controller.DeviceFunction >> 3:x}"), place = root;
        UsbHub? hub = null;
        var ports = new UsbPorts(controller, clock);
        foreach (DeviceOptions wanted in options.Devices.Where(IsUsb))
        {
            UsbSpeed storage = hub is null ? UsbSpeed.Super : UsbSpeed.High;
            UsbDevice device = wanted switch
            {
                DiskDevice disk => UsbStorage.Disk(disk.Backend, disk.Serial, storage),
                CdromDevice cdrom => UsbStorage.Cdrom(cdrom.Medium, cdrom.Serial, storage),
                UsbDeviceOptions { Kind: UsbKind.Keyboard } => new UsbKeyboard(clock),
                UsbDeviceOptions { Kind: UsbKind.Tablet } => new UsbTablet(clock),
                _ => new UsbHub(),
            };
            int port = hub is null || device is UsbHub ? controller.Add(device) : hub.Add(device);
            if (port == 0)
                throw new MachineException($"there is no free USB port for {device.Name}; put a hub before it (--usb hub)");
            ports.Has(device);
            switch (device)
            {
                case UsbHub next:
                    hub = next;
                    place = string.Create(CultureInfo.InvariantCulture, $"{root}/hub@{port}");
                    break;
                case UsbKeyboard keyboard:
                    sinks.Keyboards.Add(keyboard);
                    break;
                case UsbTablet tablet:
                    sinks.Pointers.Add(tablet);
                    break;
                case UsbStorage drive:
                    if (sinks.Paths is { } paths)
                        paths[wanted] = string.Create(CultureInfo.InvariantCulture, $"{place}/storage@{port}/channel@0/disk@0,0");
                    if (wanted is CdromDevice)
                        sinks.Drives.Add(new RemovableDrive(string.Create(CultureInfo.InvariantCulture, $"cd{sinks.Drives.Count}"), drive.ExchangeMedium));
                    break;
            }
        }
        return ports;
    }
}
