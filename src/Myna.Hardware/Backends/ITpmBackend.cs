namespace Myna.Hardware.Backends;

/// <summary>A TPM 2.0 somewhere.</summary>
public interface ITpmBackend
{
    /// <summary>Carries out a command; one at a time. May complete on any thread.</summary>
    /// <param name="response">Gets the response.</param>
    /// <param name="locality">0 to 4.</param>
    /// <returns>The response's bytes; 0 when the TPM is gone.</returns>
    ValueTask<int> ExecuteAsync(ReadOnlyMemory<byte> command, Memory<byte> response, int locality);

    /// <summary>The command under way is to end soon.</summary>
    void Cancel();

    /// <summary>The TPM's power was off.</summary>
    void PowerOn();
}
