namespace Myna.Devices.Smbus;

/// <summary>
/// A device on an SMBus (System Management Bus specification 3.2, section 6.5): the bytes of a transaction, one after the other. Its controller
/// locks it.
/// </summary>
internal interface ISmbusDevice
{
    /// <summary>A transaction begins, or goes on in the other direction.</summary>
    void Start(bool read);

    /// <summary>A byte from the host: the first one of a write is the command.</summary>
    /// <returns>Whether the device acknowledges it.</returns>
    bool Write(byte value);

    /// <summary>The next byte for the host.</summary>
    byte Read();
}
