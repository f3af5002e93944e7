using System.Buffers.Binary;
using System.Text;

namespace Myna.Devices.Usb;

/// <summary>An endpoint as its descriptor says it (USB 2.0, section 9.6.6).</summary>
/// <param name="Address">Number, with bit 7 for IN.</param>
/// <param name="Kind">bmAttributes: 2 bulk, 3 interrupt.</param>
/// <param name="MaxPacket">Bytes.</param>
/// <param name="Interval">bInterval.</param>
internal readonly record struct UsbEndpoint(byte Address, byte Kind, ushort MaxPacket, byte Interval = 0)
{
    public const byte Bulk = 2, Interrupt = 3;
}

/// <summary>
/// What a device with one configuration and one interface says it is, and the descriptors made of that. The IDs are those of QEMU's devices.
/// </summary>
internal sealed class UsbDescription
{
    private const byte SelfPowered = 0x40, RemoteWakeup = 0x20;
    private readonly byte[][] _strings;

    /// <param name="classSpecific">Descriptors between those of the interface and its endpoints.</param>
    public UsbDescription(UsbSpeed speed, ushort vendor, ushort product, string name, string serial, (byte Class, byte Sub, byte Protocol) device,
        (byte Class, byte Sub, byte Protocol) function, ReadOnlySpan<byte> classSpecific, params UsbEndpoint[] endpoints)
    {
        Endpoints = endpoints;
        _strings = [[4, UsbRequest.STRING, 0x09, 0x04], Text("Myna"), Text(name), Text(serial)];
        bool super = speed == UsbSpeed.Super;
        Device =
        [
            18, UsbRequest.DEVICE, 0, super ? (byte)3 : (byte)2, device.Class, device.Sub, device.Protocol, super ? (byte)9 : (byte)64,
            (byte)vendor, (byte)(vendor >> 8), (byte)product, (byte)(product >> 8), 0, 1, 1, 2, serial.Length == 0 ? (byte)0 : (byte)3, 1,
        ];
        Qualifier = speed == UsbSpeed.High ? [10, UsbRequest.DEVICE_QUALIFIER, 0, 2, device.Class, device.Sub, device.Protocol, 64, 0, 0] : [];
        List<byte> configuration =
        [
            9, UsbRequest.CONFIGURATION, 0, 0, 1, 1, 0, 0x80 | SelfPowered | RemoteWakeup, 0,
            9, UsbRequest.INTERFACE, 0, 0, (byte)endpoints.Length, function.Class, function.Sub, function.Protocol, 0, .. classSpecific,
        ];
        foreach (UsbEndpoint e in endpoints)
        {
            configuration.AddRange([7, UsbRequest.ENDPOINT, e.Address, e.Kind, (byte)e.MaxPacket, (byte)(e.MaxPacket >> 8), e.Interval]);
            // A burst of 16 packets for bulk endpoints (USB 3.2, section 9.6.7).
            if (super)
                configuration.AddRange([6, UsbRequest.ENDPOINT_COMPANION, e.Kind == UsbEndpoint.Bulk ? (byte)15 : (byte)0, 0, 0, 0]);
        }
        Configuration = [.. configuration];
        BinaryPrimitives.WriteUInt16LittleEndian(Configuration.AsSpan(2), (ushort)Configuration.Length);
        // USB 3.2, section 9.6.2: USB 2.0 extension, SuperSpeed capability of all speeds.
        Bos = !super ? [] :
        [
            5, UsbRequest.BOS, 22, 0, 2,
            7, UsbRequest.DEVICE_CAPABILITY, 2, 2, 0, 0, 0,
            10, UsbRequest.DEVICE_CAPABILITY, 3, 0, 0x0e, 0, 3, 0x0a, 0xff, 0x07,
        ];
    }

    public IReadOnlyList<UsbEndpoint> Endpoints { get; }
    public byte[] Device { get; }
    public byte[] Qualifier { get; }
    public byte[] Configuration { get; }
    public byte[] Bos { get; }

    /// <summary>A descriptor; empty when there is none of the kind.</summary>
    public ReadOnlySpan<byte> Descriptor(int type, int index) => type switch
    {
        UsbRequest.DEVICE => Device,
        UsbRequest.CONFIGURATION when index == 0 => Configuration,
        UsbRequest.STRING when index < _strings.Length => _strings[index],
        UsbRequest.DEVICE_QUALIFIER => Qualifier,
        UsbRequest.BOS => Bos,
        _ => [],
    };

    public bool Has(int endpoint)
    {
        foreach (UsbEndpoint e in Endpoints)
        {
            if (e.Address == endpoint)
                return true;
        }
        return false;
    }

    private static byte[] Text(string text) => [(byte)(2 + text.Length * 2), UsbRequest.STRING, .. Encoding.Unicode.GetBytes(text)];
}
