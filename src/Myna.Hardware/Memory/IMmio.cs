namespace Myna.Hardware.Memory;

/// <summary>
/// A range of registers that CPUs reach by load and store. Accesses arrive on any virtual CPU's thread, several at
/// once: a device locks its own state. It never calls back into the bus from here.
/// </summary>
public interface IMmio
{
    /// <summary>Reads a register.</summary>
    /// <param name="offset">Bytes from the start of the range; naturally aligned for <paramref name="size"/>.</param>
    /// <param name="size">1, 2, 4 or 8 bytes.</param>
    /// <param name="value">The value, zero-extended.</param>
    /// <returns>False when the device answers with a bus error; the CPU then takes an access fault.</returns>
    bool Read(ulong offset, int size, out ulong value);

    /// <summary>Writes a register. Parameters and result as for <see cref="Read"/>.</summary>
    bool Write(ulong offset, int size, ulong value);
}
