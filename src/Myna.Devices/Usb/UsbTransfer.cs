using Myna.Devices.Storage;
using Myna.Hardware.Backends;

namespace Myna.Devices.Usb;

/// <summary>
/// A transfer descriptor at a device: the guest's memory, and how much of it has been used. Reused from transfer to transfer. A storage
/// device has its back end work on the memory itself.
/// </summary>
internal class UsbTransfer : StorageRequest
{
    private UsbStorage? _storage;

    /// <summary>Number, with bit 7 for IN.</summary>
    public int Endpoint { get; set; }

    /// <summary>Bytes moved.</summary>
    public uint Done { get; set; }

    public uint Length => Buffer.Length;

    /// <summary>Bytes from the device, the whole of a packet or of the rest of a transfer.</summary>
    /// <returns>Babble when they do not fit.</returns>
    public UsbStatus Put(ReadOnlySpan<byte> bytes)
    {
        int n = Buffer.Write(Done, bytes);
        Done += (uint)n;
        return n == bytes.Length ? UsbStatus.Ok : UsbStatus.Babble;
    }

    /// <summary>Starts a storage device's work, at whose end <see cref="UsbStorage.Ended"/> is called.</summary>
    public void Start(UsbStorage storage, IBlockBackend medium, in Transfer transfer)
    {
        _storage = storage;
        Begin(medium, transfer);
    }

    public void Start(UsbStorage storage, ValueTask<BlockStatus> work)
    {
        _storage = storage;
        Begin(work);
    }

    protected override void Ended(BlockStatus status) => _storage!.Ended(this, status);
}

/// <summary>What devices need of the controller that they are plugged into.</summary>
internal interface IUsbHost
{
    /// <summary>Guards all devices of the controller.</summary>
    Lock Lock { get; }

    /// <summary>An endpoint that answered <see cref="UsbStatus.Nak"/> can do more. Under the lock.</summary>
    void Ready(UsbDevice device, int endpoint);

    /// <summary>A transfer that was <see cref="UsbStatus.Pending"/> has ended. Under the lock.</summary>
    void Completed(UsbTransfer transfer, UsbStatus status);
}
